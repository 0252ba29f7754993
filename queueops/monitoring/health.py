"""Judges a snapshot: whether saved articles become searchable, and if not, why, in sentences. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from lib.durations import age
from lib.manage_command import manage
from queueops.models import Mode, Status
from queueops.models.metric import STATUS_STEP, STATUS_TABLE
from queueops.monitoring.chunk_progress import STALLED_SECONDS, ChunkProgress
from queueops.monitoring.health_sentences import (
    brake,
    by,
    count_of,
    mode_by,
    of_lock,
    of_lost_workers,
    of_provider,
    of_step,
    of_storage,
)
from queueops.monitoring.snapshot import Snapshot
from queueops.monitoring.snapshot_statement import ALIVE_WITHIN_SECONDS

# An idle system embeds within a second and the sweep repairs within seconds: work that has been due for longer than
# the first limit is late, and after the second it is not being done at all.
LATE_SECONDS = 60
STUCK_SECONDS = 900
# Share of failed among the tasks that ended in five minutes, once at least FAILING_FROM failed.
FAILING_SHARE = 0.2
FAILING_FROM = 5
# One or two lost workers in ten minutes may be a machine that was switched off; more have another cause.
LOST_FROM = 3


class Condition(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True)
class Health:
    """`reasons` are sentences, the most severe first; none when all is well. `ended_badly` counts articles whose tasks
    failed or were cancelled; `progress` is a sentence on partly embedded long articles, empty if there are none.
    `notes` are sentences on spaces that do not serve, whatever the condition is."""

    condition: Condition
    reasons: tuple[str, ...] = ()
    ended_badly: int = 0
    progress: str = ""
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The condition in one line."""
        if self.reasons:
            return self.reasons[0]
        if self.ended_badly:
            articles = "1" if self.ended_badly == 1 else f"{self.ended_badly:,}"
            return (
                f"All saved articles are searchable or queued, except {articles} whose tasks failed or were cancelled. "
                f"See: {manage('queue_admin failed')}."
            )
        rest = f" {self.progress}" if self.progress else ""
        return f"All saved articles are searchable or queued.{rest}"


def judge(snapshot: Snapshot) -> Health:
    """Down: saved articles do not become searchable, and no operator asked for that. Degraded: they become searchable
    late or in part, or not at all because an operator decided so."""
    down, degraded = tuple(_down(snapshot)), tuple(_degraded(snapshot))
    ended_badly = 0 if down or degraded else _ended_badly(snapshot)
    condition = Condition.DOWN if down else Condition.DEGRADED if degraded else Condition.OK
    return Health(condition, (*down, *degraded), ended_badly, progress(snapshot), notes(snapshot))


def progress(snapshot: Snapshot) -> str:
    """The progress of partly embedded articles; empty if there are none."""
    if not snapshot.begun_articles:
        return ""
    articles = (
        "1 long article" if snapshot.begun_articles == 1 else f"{snapshot.begun_articles:,} long articles"
    )
    chunks = ChunkProgress(
        snapshot.begun_chunks,
        snapshot.kept_chunks,
        snapshot.chunks_per_second,
        snapshot.chunks_done_at,
        snapshot.last_chunk_age,
    )
    return f"{articles} in progress: {chunks}."


def _ended_badly(snapshot: Snapshot) -> int:
    """The number of articles that are behind and have no task left."""
    ended = snapshot.failed_open + snapshot.tasks.get(Status.CANCELLED, 0)
    live = snapshot.tasks.get(Status.PENDING, 0) + snapshot.tasks.get(Status.PROCESSING, 0)
    return max(min(snapshot.articles - snapshot.embedded - live, ended), 0)


def workers_in_words(snapshot: Snapshot) -> str:
    """How many workers are alive and stopped, or why that is unknown."""
    counts = (snapshot.workers_alive, "alive"), (snapshot.workers_stopped, "stopped")
    if known := ", ".join(f"{count} {word}" for count, word in counts if count):
        return known
    return f"unknown: {unknown}" if (unknown := _why_unknown(snapshot)) else "no worker is alive"


def _why_unknown(snapshot: Snapshot) -> str:
    """Why the number of living workers is unknown, empty if it is known."""
    if snapshot.partial:
        return "a table is locked"
    if snapshot.is_read_only:
        return "the database is read-only"
    return "workers cannot update their status" if _cannot_write_status(snapshot) else ""


def workers(snapshot: Snapshot) -> tuple[str, str]:
    """Whether tasks are being claimed, in one word for scripts ("running", "stopped" or, behind a lock, "unknown"), and
    a note with the reason."""
    if snapshot.partial:
        return "unknown", _why_unknown(snapshot)
    if not snapshot.installed:
        return "stopped", "the queue is not installed: saves embed in the request"
    if snapshot.mode == Mode.DISABLED:
        return "stopped", "system disabled: nothing is embedded"
    if snapshot.paused:
        return "stopped", f"the queue is paused{by(snapshot)}"
    if snapshot.mode == Mode.SYNCHRONOUS:
        left = f"workers for what is left over: {workers_in_words(snapshot)}"
        return "stopped", f"synchronous mode: saves embed in the request; {left}"
    if snapshot.brake_rows:
        return "stopped", f"{workers_in_words(snapshot)}: {brake(snapshot)}"
    if snapshot.workers_alive:
        return "running", workers_in_words(snapshot)
    if not snapshot.workers_stopped and (unknown := _why_unknown(snapshot)):
        return "unknown", unknown
    return "stopped", workers_in_words(snapshot)


def _down(snapshot: Snapshot) -> Iterator[str]:
    yield from (of_lock(lock) for lock in snapshot.locks if (lock.seconds or 0.0) > STUCK_SECONDS)
    waited = snapshot.oldest_due_age or 0.0
    if snapshot.is_read_only or (snapshot.refused_for or 0.0) > LATE_SECONDS:
        yield from of_storage(snapshot.is_read_only, snapshot.refusal, snapshot.refused_for or 0.0)
    if snapshot.paused_itself and waited > STUCK_SECONDS:
        yield f"The queue has paused itself, and work has waited for {age(waited)}."
    if snapshot.mode != Mode.QUEUED or snapshot.paused or not snapshot.due:
        return
    if _are_stalled(snapshot):  # between two turns they count as no delay
        waited = max(waited, snapshot.last_chunk_age or 0.0)
    if _is_none_there(snapshot) and waited > LATE_SECONDS:
        yield f"No worker is alive, and work has waited for {age(waited)}."
    elif _claims_nothing(snapshot) and not _is_held(snapshot):
        yield f"Workers are alive but claim nothing; the oldest task has waited for {age(_claimable_age(snapshot))}."


def _is_none_there(snapshot: Snapshot) -> bool:
    """Whether no worker lives: none counts as alive, and each could update its status."""
    is_known = not snapshot.partial and not snapshot.is_read_only and not _cannot_write_status(snapshot)
    return is_known and not snapshot.workers_alive and not snapshot.workers_stopped


def _cannot_write_status(snapshot: Snapshot) -> bool:
    """Whether living workers cannot update the rows that they are counted by."""
    is_refused = STATUS_STEP in snapshot.steps_refused
    return is_refused or _is_status_locked(snapshot) or _work_without_status(snapshot)


def _is_status_locked(snapshot: Snapshot) -> bool:
    return any(lock.table == STATUS_TABLE for lock in snapshot.locks)


def _work_without_status(snapshot: Snapshot) -> bool:
    """Whether tasks were completed while every registered worker was silent."""
    completed = snapshot.last_completed_age
    is_at_work = completed is not None and completed <= ALIVE_WITHIN_SECONDS
    return is_at_work and bool(snapshot.workers_silent) and not snapshot.workers_alive


def _claimable_age(snapshot: Snapshot) -> float:
    """The age in seconds of the oldest claimable task: a spent budget leaves low priority for tomorrow."""
    is_spent = any(provider.is_spent for provider in snapshot.providers)
    return (snapshot.oldest_fresh_age if is_spent else snapshot.oldest_due_age) or 0.0


def _claims_nothing(snapshot: Snapshot) -> bool:
    claims_lately = snapshot.last_claim_age is not None and snapshot.last_claim_age <= STUCK_SECONDS
    return _claimable_age(snapshot) > STUCK_SECONDS and not claims_lately


def _is_held(snapshot: Snapshot) -> bool:
    """Whether another sentence says why nothing is claimed."""
    is_limited = any(provider.blocked_for for provider in snapshot.providers)
    return bool(snapshot.workers_stopped or snapshot.refusal or snapshot.is_read_only) or is_limited


def _are_stalled(snapshot: Snapshot) -> bool:
    """Whether long articles are in progress without any progress, and were not stopped."""
    is_stopped = snapshot.paused or snapshot.mode != Mode.QUEUED
    return not is_stopped and (snapshot.last_chunk_age or 0.0) > STALLED_SECONDS


def _is_swept_late(snapshot: Snapshot) -> bool:
    return (snapshot.sweep_age or 0.0) > max(LATE_SECONDS, 3 * settings.EMBEDDING_WORKER_INTERVAL / 1000)


def _degraded(snapshot: Snapshot) -> Iterator[str]:
    yield from (of_lock(lock) for lock in snapshot.locks if (lock.seconds or 0.0) <= STUCK_SECONDS)
    if snapshot.partial and not snapshot.locks:
        yield "A table was locked, so the counts could not be read."
    if snapshot.space is None and not snapshot.partial:
        yield "No embedding space serves searches yet; search falls back to words."
    if snapshot.recipe_conflict:
        yield snapshot.recipe_conflict
    yield from _of_mode(snapshot)
    yield from _of_refusals(snapshot)
    for provider in snapshot.providers:
        if not provider.is_beside:
            yield from of_provider(provider)
    if snapshot.broker_trouble:
        yield f"The broker {snapshot.broker_trouble}; the sweep finds new work, some seconds later."
    yield from _of_workers(snapshot)
    yield from _of_backlog(snapshot)


def _of_mode(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.mode == Mode.DISABLED:
        who = "" if snapshot.mode == snapshot.mode_in_settings else mode_by(snapshot)
        yield f"Embedding is switched off{who}; new texts are found by words only."
    elif not snapshot.installed and snapshot.mode_in_settings == Mode.QUEUED:
        yield f"The queue is not installed, so saves embed in the request. To install it: {manage('migrate')}."
    elif snapshot.mode != snapshot.mode_in_settings:
        yield f"The mode was changed to {snapshot.mode}{mode_by(snapshot)}."
    if snapshot.paused_itself:
        yield f"The queue has paused itself: {snapshot.reason.rstrip('.')}."
    elif snapshot.paused:
        yield f"The queue is paused{by(snapshot)}."


def _of_refusals(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.refusal and not snapshot.is_read_only and (snapshot.refused_for or 0.0) <= LATE_SECONDS:
        yield from of_storage(False, snapshot.refusal, snapshot.refused_for or 0.0)
    yield from (of_step(step, reason) for step, reason in snapshot.steps_refused.items())
    if STATUS_STEP not in snapshot.steps_refused and not snapshot.workers_alive:
        if _is_status_locked(snapshot):
            yield of_step(STATUS_STEP, "locked by another session")
        elif _work_without_status(snapshot):
            yield of_step(STATUS_STEP, f"a task was completed {age(snapshot.last_completed_age or 0.0)} ago")


def _of_workers(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.brake_rows and not snapshot.paused:
        yield f"No worker claims tasks: {brake(snapshot)}."
    elif snapshot.workers_stopped:
        yield f"{count_of(snapshot.workers_stopped, 'worker')} stopped. To start: {manage('queue_admin start')}."
    if snapshot.mode == Mode.QUEUED and _is_none_there(snapshot):
        yield "No worker is alive."
    if snapshot.workers_alive and _is_swept_late(snapshot):
        yield (
            f"The last sweep was {age(snapshot.sweep_age or 0.0)} ago: work left by a lost wake-up, a dead worker or "
            "plain SQL waits for the next."
        )


def _of_backlog(snapshot: Snapshot) -> Iterator[str]:
    is_late = not snapshot.paused and (snapshot.oldest_due_age or 0.0) > LATE_SECONDS
    if is_late:
        yield f"The oldest task has been due for {age(snapshot.oldest_due_age or 0.0)}."
    if snapshot.begun_articles and (is_late or _are_stalled(snapshot)):
        yield progress(snapshot)
    if snapshot.workers_lost_10m >= LOST_FROM:
        yield of_lost_workers(snapshot)
    if snapshot.expired_leases and not snapshot.is_read_only:  # then they can be neither renewed nor returned
        yield f"{count_of(snapshot.expired_leases, 'task')} held by a worker past the lease."
    failed = snapshot.failed_5m - snapshot.failed_beside_5m
    ended = failed + snapshot.completed_5m - snapshot.completed_beside_5m
    if failed >= FAILING_FROM and failed >= FAILING_SHARE * ended:
        yield f"{failed:,} of {ended:,} tasks failed in the last five minutes."


def notes(snapshot: Snapshot) -> tuple[str, ...]:
    """Sentences on spaces beside the serving one: searches do not depend on them, nor does the condition."""
    beside = tuple(said for each in snapshot.providers if each.is_beside for said in of_provider(each))
    if snapshot.failed_beside_5m:
        count = f"{snapshot.failed_beside_5m:,}"
        beside += (f"Failed in the last five minutes: {count} tasks of spaces that do not serve.",)
    return beside
