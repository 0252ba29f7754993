"""The queue's health for machines: a short public reply, and the whole snapshot for callers who may read it."""

from typing import Any, NamedTuple

import structlog
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from lib.own_connection import own_connection
from lib.shared_value import ReadingTimeout, SharedValue
from queueops.base.table_locks import TableLock
from queueops.monitoring import health, snapshot
from queueops.monitoring.health import Condition

SECONDS_HELD = 1.0
# A session of its own: neither a lock nor a slow server may delay the reply.
SECONDS_TO_READ = 1.6
_LOCK_MS, _STATEMENT_MS = 150, 1_000
_NAME = "vectorpress health"

log = structlog.get_logger(__name__)


class Seen(NamedTuple):
    """The public part."""

    condition: Condition
    locks: tuple[TableLock, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The reply: of a lock, only what identifies its holder."""
        locked = [
            {"table": each.table, "by": each.program, "pid": each.pid, "seconds": round(each.seconds or 0.0)}
            for each in self.locks
        ]
        return {"status": self.condition} | ({"locked": locked} if locked else {})


_UNKNOWN = Seen(Condition.DOWN)


def _look() -> Seen:
    """The state now; down if the database does not respond in time."""
    try:
        with own_connection(_NAME, lock_ms=_LOCK_MS, statement_ms=_STATEMENT_MS):
            now = snapshot.take_despite_locks()
    except (DatabaseError, InterfaceError) as error:
        log.error("health cannot be read", error=type(error).__name__)
        return _UNKNOWN
    return Seen(health.judge(now).condition, now.locks)


# Public and expensive: at most one snapshot per second and process.
seen = SharedValue(_look, SECONDS_HELD, SECONDS_TO_READ)


@never_cache
@require_safe
def health_answer(request: HttpRequest) -> JsonResponse:
    """ok, degraded or down, and the holder of a table lock. Public; 503 if down."""
    try:
        found = seen.get()
    except ReadingTimeout:
        found = _UNKNOWN
    return JsonResponse(found.as_dict(), status=503 if found.condition is Condition.DOWN else 200)


@never_cache
@require_safe
def stats(request: HttpRequest) -> JsonResponse:
    """The snapshot with its health. The URL configuration decides which callers may read it."""
    now = snapshot.take()
    judged = health.judge(now)
    return JsonResponse(
        {"status": judged.condition, "reasons": judged.reasons, "notes": judged.notes, **now.as_dict()}
    )
