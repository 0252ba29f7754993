"""Times that another clock has written: the database's own, before it stepped back, or that of the server before it.

A time that lies further ahead than we could have set it now keeps work waiting for nothing, so each sweep puts such
times right, wherever they came from. What somebody has scheduled for later keeps its distance. docs/clocks.md lists
every time column with what becomes of it.
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
# Statements that began a moment before ours have set times a moment later than we could.
_TOLERANCE = timedelta(seconds=1)
# No worker notices a smaller step: it renews its leases when a third of them is over.
_SMALLEST_STEP = 1.0

log = structlog.get_logger(__name__)

# A worker that lives renews what it holds within a third of a lease; a dead one's tasks are back after one.
_CUT_LEASES = """
WITH ahead AS (
    SELECT id FROM embedding_tasks
    WHERE status = 'processing' AND lease_expires_at > statement_timestamp() + %(lease)s + %(tolerance)s
    ORDER BY id LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
)
UPDATE embedding_tasks t SET lease_expires_at = statement_timestamp() + %(lease)s FROM ahead WHERE t.id = ahead.id
"""
# A schedule that was written later than now: what was due then is due now, and what was to wait waits as long from now.
# One that was written before, by a retry or by hand, stays, however far ahead it lies.
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
# A process that lives says so again within seconds. When one claimed that claimed later than now, nobody knows.
_SEE_WORKERS_NOW = """
UPDATE embedding_worker_status SET
    last_seen_at = LEAST(last_seen_at, clock_timestamp()),
    last_claim_at = CASE WHEN last_claim_at <= clock_timestamp() THEN last_claim_at END
WHERE last_seen_at > clock_timestamp() OR last_claim_at > clock_timestamp()
"""
# The newest migration says what the sweep leaves alone: one that began later than now must not stay the newest.
_BEGIN_OPERATIONS_NOW = """
UPDATE embedding_operations SET started_at = clock_timestamp() WHERE started_at > clock_timestamp()
"""
# To ask a provider too early costs a request; the spans are the longest that gate and limiter give, or 0 once the clock
# is known to have stepped back.
_ASK_PROVIDERS = """
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
# What ended before the step stays ended, and no lease grows longer than one that is given now.
_CARRY_LEASES = """
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


def put_right() -> dict[str, int]:
    """Puts right every time that lies ahead of what could be set now; answers how many rows of each kind, and writes
    them down."""
    changed = {
        "leases": _in_batches(_CUT_LEASES),
        "schedules": _in_batches(_MOVE_SCHEDULES),
        "workers": _execute(_SEE_WORKERS_NOW),
        "operations": _execute(_BEGIN_OPERATIONS_NOW),
        "providers": _execute(_ASK_PROVIDERS, **_longest(is_back=False)),
    }
    changed = {kind: count for kind, count in changed.items() if count}
    if changed:
        _tell("times ahead of the database's clock were put right: it has stepped back", changed)
    return changed


def ask_providers() -> int:
    """Where the clock has stepped back, no provider is left alone because of what was written before; answers how
    many."""
    changed = _execute(_ASK_PROVIDERS, **_longest(is_back=True))
    if changed:
        _tell("the database's clock has stepped back: providers are asked again", {"providers": changed})
    return changed


def carry_leases(step: float) -> int:
    """After the clock went ahead by so many seconds: leases that it would have ended go on for as long as they had
    left; answers how many."""
    return _execute(_CARRY_LEASES, step=timedelta(seconds=step), lease=_lease())


@dataclass(frozen=True)
class Reading:
    """The database's clock beside one of this machine that nobody sets; both in seconds, read within `took`."""

    database: float
    steady: float
    took: float = 0.0


def read() -> Reading:
    """Both clocks now."""
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(_NOW)
        (database,) = cursor.fetchone()
    ended = time.monotonic()
    return Reading(database, ended, ended - began)


def went_ahead(earlier: Reading | None, later: Reading) -> float:
    """By how many seconds the database's clock went ahead between two readings; 0.0 where it did not, or by no more
    than what reading it may have taken."""
    if earlier is None:
        return 0.0
    step = (later.database - earlier.database) - (later.steady - earlier.steady)
    return step if step > _SMALLEST_STEP + earlier.took + later.took else 0.0


class Watch:
    """Looks at the clock again and again, for one process, and keeps leases from ending because it went ahead."""

    def __init__(self) -> None:
        self._last: Reading | None = None
        self._step = 0.0
        self._until = float("-inf")

    def look(self) -> bool:
        """Notices a step since the last look; answers whether leases have ended that seem so. What was claimed or
        renewed as the step came may be committed later, so for as long as a lease lasts they are carried on instead.
        """
        reading = read()
        if step := went_ahead(self._last, reading):
            self._step, self._until = step, reading.steady + _lease().total_seconds()
            _tell("the database's clock went ahead: leases go on as if it had not", {"seconds": round(step)})
        self._last = reading
        is_sure = reading.steady >= self._until
        if not is_sure:
            carry_leases(self._step)
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


def _tell(message: str, counts: dict[str, int]) -> None:
    log.warning(message, **counts)
    AuditLog.objects.create(category=Category.SWEEP, level=Level.WARNING, message=message, metadata=counts)
