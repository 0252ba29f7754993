"""The queue's health for machines: a terse public answer, and the whole snapshot for those who may read it."""

import structlog
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from queueops import health, snapshot
from queueops.health import Condition
from queueops.held import Held, NotInTimeError

SECONDS_HELD = 1.0
SECONDS_TO_READ = 2

log = structlog.get_logger(__name__)


def _condition() -> Condition:
    """The condition now; down where the database does not answer, or not in time."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {SECONDS_TO_READ * 1000}")
            return health.judge(snapshot.take()).condition
    except (DatabaseError, InterfaceError) as error:
        log.error("health cannot be read", error=type(error).__name__)
        return Condition.DOWN


# Anybody may ask, and a snapshot costs: one a second for each process, however many ask.
held_condition = Held(_condition, SECONDS_HELD, SECONDS_TO_READ)


@never_cache
@require_safe
def health_answer(request: HttpRequest) -> JsonResponse:
    """ok, degraded or down, and no word more: anybody may ask. 503 when down."""
    try:
        condition = held_condition.get()
    except NotInTimeError:
        condition = Condition.DOWN
    return JsonResponse({"status": condition}, status=503 if condition is Condition.DOWN else 200)


@never_cache
@require_safe
def stats(request: HttpRequest) -> JsonResponse:
    """The snapshot with its verdict. Who may read it is decided where the URL is assembled."""
    now = snapshot.take()
    judged = health.judge(now)
    return JsonResponse({"status": judged.condition, "reasons": judged.reasons, **now.as_dict()})
