"""The sentences of health that name who, what and how to end it; pure."""

from collections.abc import Iterator

from lib.durations import age
from lib.manage_command import manage
from queueops.base.table_locks import TableLock
from queueops.models.metric import STATUS_STEP
from queueops.monitoring.provider_status import ProviderStatus
from queueops.monitoring.snapshot import Snapshot


def of_lock(lock: TableLock) -> str:
    """The session that locks a table, and how to end it: the one that does not wait itself."""
    since = "" if lock.seconds is None else f" for {age(lock.seconds)}"
    after = f", which itself waits for pid {', '.join(map(str, lock.behind))}" if lock.behind else ""
    waiting = f"; {_sessions(lock.waiting)} for it" if lock.waiting else ""
    end = ", ".join(_end_of(pid) for pid in (lock.roots or lock.behind or [lock.pid or 0]))
    what = f"{lock.what.capitalize()} {'are' if lock.is_of_rows else 'is'} locked by {lock.holder}"
    return f"{what}{since}{after}{waiting}. To end it: {end}, in psql."


def _end_of(pid: int) -> str:
    return f"SELECT pg_terminate_backend({pid})" if pid else "ROLLBACK PREPARED, by pg_prepared_xacts"


def _sessions(count: int) -> str:
    return "1 session waits" if count == 1 else f"{count:,} sessions wait"


def of_storage(is_read_only: bool, refusal: str, seconds: float) -> Iterator[str]:
    """A sentence if the database does not accept vectors: why, and since when."""
    if is_read_only:
        yield "The database is read-only (25006): it accepts no saves and no vectors, and workers wait until it does."
    elif refusal:
        yield (
            f"The database has accepted no vectors for {age(seconds)} ({refusal.rstrip('.')}): workers keep theirs,"
            " stop claiming, charge no attempt, and retry by themselves."
        )


def of_step(step: str, reason: str) -> str:
    uncounted = ", so they do not count as alive" if step == STATUS_STEP else ""
    return f"Workers cannot {step} ({reason.rstrip('.')}){uncounted}."


def brake(snapshot: Snapshot) -> str:
    """The rows that stop every worker, and how to end it; to follow a colon."""
    rows, verb = ("rows", "have") if "," in snapshot.brake_rows else ("row", "has")
    return (
        f"{rows} {snapshot.brake_rows} of embedding_worker_status {verb} is_running = false, which stops every worker. "
        f"To start: {manage('queue_admin start')}"
    )


def of_lost_workers(snapshot: Snapshot) -> str:
    tasks = f"{snapshot.lost_waiting:,} {'task' if snapshot.lost_waiting == 1 else 'tasks'}"
    retried = f"; {tasks} they held will be retried in small batches" if snapshot.lost_waiting else ""
    return (
        f"Workers were lost {snapshot.workers_lost_10m:,} times in the last ten minutes{retried}. "
        f"See: {manage('queue_admin metrics --minutes 10')}, and docs/operations/workers-lost.md."
    )


def of_provider(provider: ProviderStatus) -> Iterator[str]:
    """Sentences on what blocks a provider; none when it is well."""
    if provider.is_out:
        cause = f" ({provider.last_error.rstrip('.')})" if provider.last_error else ""
        yield (
            f"The provider {provider.name} has not responded for {age(provider.out_for or 0.0)}{cause}; "
            f"next attempt in {age(provider.retry_in or 0.0)}."
        )
    elif provider.failures and provider.last_error:
        yield f"The last request to the provider {provider.name} failed ({provider.last_error.rstrip('.')})."
    if provider.blocked_for:
        yield f"The provider {provider.name} is at its rate limit; next request in {age(provider.blocked_for)}."
    if provider.is_spent:
        yield of_budget(provider)


def of_budget(provider: ProviderStatus) -> str:
    """The sentence for a spent budget."""
    return f"Today's token budget for {provider.name} is spent; the backfill waits until midnight UTC."


def by(snapshot: Snapshot) -> str:
    return _who_and_why(snapshot.changed_by, snapshot.reason)


def mode_by(snapshot: Snapshot) -> str:
    return _who_and_why(snapshot.mode_changed_by, snapshot.mode_reason)


def _who_and_why(who: str, reason: str) -> str:
    by = f" by {who}" if who else ""
    return f"{by}: {reason.rstrip('.')}" if reason else by


def count_of(number: int, noun: str) -> str:
    return f"{number:,} {noun} is" if number == 1 else f"{number:,} {noun}s are"
