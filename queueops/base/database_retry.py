"""Carries on when the database comes back: a restart takes seconds, and costs a batch neither lease nor vectors."""

import time
from collections.abc import Callable

import structlog
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection
from psycopg.errors import DeadlockDetected, LockNotAvailable, UniqueViolation

from queueops.base import database_refusals
from queueops.base.database_refusals import Blame

# What is raised while the database is gone, does not take connections yet, or has ended ours; and for more than that.
AWAY = (OperationalError, InterfaceError)
# When it stays away for longer than this, leases have ended and others have the tasks.
_SECONDS = 30.0
_PAUSE_SECONDS = 0.5
# Somebody was quicker to a place that was free when we looked, or stood in the way: looked at once more, it is seen.
_COLLISIONS = (UniqueViolation, DeadlockDetected)
_TRIES = 5

log = structlog.get_logger(__name__)


def with_database_retry[T](work: Callable[[], T], what: str) -> T:
    """What `work` answers, tried again for up to 30 s while the database is gone; `what` tells the log what waits.

    `work` must bear being done twice: where only the answer was lost, it has been done before. Inside a transaction,
    which is over then, and after that time, the database's error is raised.
    """
    ends = time.monotonic() + _SECONDS
    while True:
        try:
            return work()
        except (DatabaseError, InterfaceError) as error:
            is_away = database_refusals.of(error).blame is Blame.CONNECTION
            if connection.in_atomic_block or not is_away or time.monotonic() > ends:
                raise
            log.warning(f"{what}: the database is away; trying again", error=type(error).__name__)
            connection.close()
        time.sleep(_PAUSE_SECONDS)


def retry_on_conflict[T](work: Callable[[], T]) -> T:
    """What `work`, a transaction of its own, answers; done again where somebody else's commit came between."""
    for _ in range(_TRIES - 1):
        try:
            return work()
        except (IntegrityError, OperationalError) as error:
            if not isinstance(error.__cause__, _COLLISIONS):
                raise
            log.info("somebody was quicker; trying again", error=type(error.__cause__).__name__)
    return work()


def is_locked(error: Exception) -> bool:
    """Whether a statement gave up because somebody else holds what it wanted."""
    return isinstance(error.__cause__, LockNotAvailable)
