"""Repairs times written by another clock: the database's own before it stepped back, or that of an earlier server.

A time further in the future than it could be set now delays work for nothing, so each sweep corrects such times,
whatever their source. A task scheduled for later keeps its delay. docs/clocks.md lists every time column.
"""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection

from queueops.admission import circuit_breaker
from queueops.admission.rate_limiter import MINUTE
from queueops.models import AuditLog, Category, Level

_BATCH = 1_000
# Statements that started just before ours may have set slightly later times than ours can.
_TOLERANCE = timedelta(seconds=1)
# A smaller step harms no worker: leases are renewed after a third of their length.
_SMALLEST_STEP = 1.0

log = structlog.get_logger(__name__)

# A living worker renews its tasks within a third of a lease; a dead one's tasks are returned after one.
_CUT_LEASES = """
WITH ahead AS (
    SELECT id FROM embedding_tasks
    WHERE status = 'processing' AND lease_expires_at > statement_timestamp() + %(lease)s + %(tolerance)s
    ORDER BY id LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
)
UPDATE embedding_tasks t SET lease_expires_at = statement_timestamp() + %(lease)s FROM ahead WHERE t.id = ahead.id
"""
# A schedule written later than now: a task due then is due now, and a delayed one keeps its delay from now on. One
# written earlier, by a retry or by hand, stays, however far in the future it is.
_MOVE_SCHEDULES = """
WITH ahead AS (
    SELECT t.id FROM embedding_spaces s, LATERAL (
        SELECT id FROM embedding_tasks
        WHERE space_id = s.id AND status = 'pending' AND scheduled_at > statement_timestamp()
          AND schedule_set_at > statement_timestamp() + %(tolerance)s
        LIMIT %(batch)s
        FOR UPDATE SKIP LOCKED
    ) t
)
UPDATE embedding_tasks t SET
    scheduled_at = GREATEST(t.scheduled_at - (t.schedule_set_at - statement_timestamp()), statement_timestamp())
FROM ahead WHERE t.id = ahead.id
"""
# A living process updates its row within seconds. The true time of a claim in the future is unknown.
_CORRECT_WORKERS = """
UPDATE embedding_worker_status SET
    last_seen_at = LEAST(last_seen_at, clock_timestamp()),
    last_claim_at = CASE WHEN last_claim_at <= clock_timestamp() THEN last_claim_at END
WHERE last_seen_at > clock_timestamp() OR last_claim_at > clock_timestamp()
"""
# The newest backfill decides what the sweep skips: one started later than now must not stay the newest.
_CORRECT_OPERATIONS = """
UPDATE embedding_operations SET started_at = clock_timestamp() WHERE started_at > clock_timestamp()
"""
# Calling a provider too early costs one request; the spans are the longest that gate and limiter set, or 0 once the
# clock is known to have stepped back.
_LIFT_PROVIDER_WAITS = """
UPDATE provider_states SET
    retry_at = CASE WHEN retry_at > clock_timestamp() + %(retry)s THEN clock_timestamp() ELSE retry_at END,
    canary_until = CASE WHEN canary_until > clock_timestamp() + %(canary)s
                        THEN clock_timestamp() ELSE canary_until END,
    blocked_until = CASE WHEN blocked_until > clock_timestamp() + %(blocked)s
                         THEN clock_timestamp() ELSE blocked_until END,
    requests_full_at = CASE WHEN requests_full_at > clock_timestamp() + %(requests)s
                            THEN clock_timestamp() ELSE requests_full_at END,
    tokens_full_at = CASE WHEN %(is_back)s AND tokens_full_at > clock_timestamp()
                          THEN clock_timestamp() ELSE tokens_full_at END
WHERE retry_at > clock_timestamp() + %(retry)s OR canary_until > clock_timestamp() + %(canary)s
   OR blocked_until > clock_timestamp() + %(blocked)s OR requests_full_at > clock_timestamp() + %(requests)s
   OR (%(is_back)s AND tokens_full_at > clock_timestamp())
"""
# A lease that ended before the step stays ended, and none becomes longer than a new one.
_EXTEND_LEASES = """
WITH held AS (
    SELECT id FROM embedding_tasks
    WHERE status = 'processing' AND lease_expires_at > statement_timestamp() - %(step)s
      AND lease_expires_at < statement_timestamp() + %(lease)s
    ORDER BY id
    FOR UPDATE SKIP LOCKED
)
UPDATE embedding_tasks t SET lease_expires_at = LEAST(t.lease_expires_at + %(step)s, statement_timestamp() + %(lease)s)
FROM held WHERE t.id = held.id
"""
_NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"


def correct_times() -> dict[str, int]:
    """Corrects every time further in the future than it could be set now; returns changed rows by kind, and logs
    them."""
    changed = {
        "leases": _in_batches(_CUT_LEASES),
        "schedules": _in_batches(_MOVE_SCHEDULES),
        "workers": _execute(_CORRECT_WORKERS),
        "operations": _execute(_CORRECT_OPERATIONS),
        "providers": _execute(_LIFT_PROVIDER_WAITS, **_longest(is_back=False)),
    }
    changed = {kind: count for kind, count in changed.items() if count}
    if changed:
        _log("the database's clock has stepped back: times in the future were corrected", changed)
    return changed


def lift_provider_waits() -> int:
    """After the clock has stepped back, lifts waits for providers that were written before; returns how many rows."""
    changed = _execute(_LIFT_PROVIDER_WAITS, **_longest(is_back=True))
    if changed:
        _log("the database's clock has stepped back: waits for providers were lifted", {"providers": changed})
    return changed


def extend_leases(step: float) -> int:
    """After the clock jumped ahead by `step` seconds: extends leases by the time they had left; returns how many."""
    return _execute(_EXTEND_LEASES, step=timedelta(seconds=step), lease=_lease())


@dataclass(frozen=True)
class Reading:
    """The database's clock and this machine's monotonic one; both in seconds, read within `took`."""

    database: float
    steady: float
    took: float = 0.0


def read() -> Reading:
    """Reads both clocks."""
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(_NOW)
        (database,) = cursor.fetchone()
    ended = time.monotonic()
    return Reading(database, ended, ended - began)


def went_ahead(earlier: Reading | None, later: Reading) -> float:
    """Seconds by which the database's clock jumped ahead between two readings; 0.0 if it did not, or by no more than
    the time of reading it."""
    if earlier is None:
        return 0.0
    step = (later.database - earlier.database) - (later.steady - earlier.steady)
    return step if step > _SMALLEST_STEP + earlier.took + later.took else 0.0


class Watch:
    """Watches the clock for one process, and keeps leases from ending because it jumped ahead."""

    def __init__(self) -> None:
        self._last: Reading | None = None
        self._step = 0.0
        self._until = float("-inf")

    def look(self) -> bool:
        """Detects a step since the last call; returns whether expired leases can be trusted. Claims and renewals during
        the step may commit later, so leases are extended instead for the length of one lease.
        """
        reading = read()
        if step := went_ahead(self._last, reading):
            self._step, self._until = step, reading.steady + _lease().total_seconds()
            _log("the database's clock jumped ahead: leases were extended", {"seconds": round(step)})
        self._last = reading
        is_sure = reading.steady >= self._until
        if not is_sure:
            extend_leases(self._step)
        return is_sure


def _longest(*, is_back: bool) -> dict[str, Any]:
    longest = {
        "retry": circuit_breaker.LONGEST_INTERVAL,
        "canary": circuit_breaker.CANARY_LEASE_SECONDS,
        "blocked": circuit_breaker.MAX_BLOCK_SECONDS,
        "requests": 2 * MINUTE,
    }
    spans = {
        name: timedelta() if is_back else timedelta(seconds=seconds) + _TOLERANCE
        for name, seconds in longest.items()
    }
    return {**spans, "is_back": is_back}


def _lease() -> timedelta:
    return timedelta(milliseconds=settings.EMBEDDING_WORKER_TIMEOUT)


def _in_batches(statement: str) -> int:
    """Each batch commits by itself, so that no lock is held for long."""
    changed = count = _execute(statement, lease=_lease(), tolerance=_TOLERANCE, batch=_BATCH)
    while count >= _BATCH:
        count = _execute(statement, lease=_lease(), tolerance=_TOLERANCE, batch=_BATCH)
        changed += count
    return changed


def _execute(statement: str, **arguments: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return int(cursor.rowcount)


def _log(message: str, counts: dict[str, int]) -> None:
    log.warning(message, **counts)
    AuditLog.objects.create(category=Category.SWEEP, level=Level.WARNING, message=message, metadata=counts)
