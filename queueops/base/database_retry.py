"""Retries database work after a restart, which takes seconds and must cost a batch neither its lease nor vectors."""

import time
from collections.abc import Callable

import structlog
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection
from psycopg.errors import DeadlockDetected, LockNotAvailable, UniqueViolation

from queueops.base import database_refusals
from queueops.base.database_refusals import Blame

# Raised while the database is away, accepts no connections yet, or has ended ours; and for more than that.
AWAY = (OperationalError, InterfaceError)
# If it stays away for longer than this, leases have ended and other workers have the tasks.
_SECONDS = 30.0
_PAUSE_SECONDS = 0.5
# Conflicts with a concurrent transaction: once it has committed, a retry sees its rows.
_CONFLICTS = (UniqueViolation, DeadlockDetected)
_ATTEMPTS = 5

log = structlog.get_logger(__name__)


def with_database_retry[T](work: Callable[[], T], what: str) -> T:
    """Returns the result of `work`, retried for up to 30 s while the database is away; `what` names it in the log.

    `work` must be idempotent: if only the reply was lost, it has been done before. Raises the database's error after
    that time, and at once inside a transaction, which has ended then.
    """
    ends = time.monotonic() + _SECONDS
    while True:
        try:
            return work()
        except (DatabaseError, InterfaceError) as error:
            is_away = database_refusals.of(error).blame is Blame.CONNECTION
            if connection.in_atomic_block or not is_away or time.monotonic() > ends:
                raise
            log.warning(f"{what}: the database is away; retrying", error=type(error).__name__)
            connection.close()
        time.sleep(_PAUSE_SECONDS)


def retry_on_conflict[T](work: Callable[[], T]) -> T:
    """Returns the result of `work`, a transaction of its own, retried after a conflict with another commit."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return work()
        except (IntegrityError, OperationalError) as error:
            if not isinstance(error.__cause__, _CONFLICTS):
                raise
            log.info("conflict with another transaction; retrying", error=type(error.__cause__).__name__)
    return work()


def is_locked(error: Exception) -> bool:
    """Whether a statement timed out on another session's lock."""
    return isinstance(error.__cause__, LockNotAvailable)
