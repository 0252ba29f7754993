"""Pauses a worker process that ran into a locked table: it claims nothing until the lock is gone, and logs it once."""

import threading
import time
from collections.abc import Callable

import structlog
from django.db import DatabaseError, InterfaceError, connection

from queueops.base import database_refusals, table_locks
from queueops.base.database_refusals import Blame
from queueops.base.table_locks import TableLock

LOOK_AGAIN_SECONDS = 1.0
# Without one of these no batch can be settled, so calling the provider would be wasted.
NEEDED = frozenset(
    {
        "articles",
        "embedding_spaces",
        "article_embeddings",
        "embedding_tasks",
        "embedding_worker_status",
        "queue_state",
        "provider_states",
        "embedding_audit_logs",
        "performance_metrics",
    }
)

log = structlog.get_logger(__name__)


class LockedOut:
    """Safe for any thread. Costs nothing until a statement fails on a lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_locked = False
        self._looked_at = float("-inf")

    def note(self, error: Exception) -> bool:
        """Whether this error is a lock timeout; if a whole table is locked, all threads of the process pause."""
        if database_refusals.of(error).blame is not Blame.LOCK:
            return False
        if not self._is_locked:
            self._look()
        return True

    def is_lasting(self) -> bool:
        """Whether a table that workers need is still locked; checked once per second."""
        if not self._is_locked:
            return False
        with self._lock:
            is_time = time.monotonic() - self._looked_at >= LOOK_AGAIN_SECONDS
            if is_time:
                self._looked_at = time.monotonic()
        if is_time:
            self._look()
        return self._is_locked

    def unless(self, work: Callable[[], object]) -> None:
        """Does `work`; a lock timeout is noted instead of raised."""
        try:
            work()
        except DatabaseError as error:
            if not self.note(error):
                raise

    def forget(self) -> None:
        """Resets to the state without a lock."""
        with self._lock:
            self._is_locked = False

    def _look(self) -> None:
        """Checks for locks; if the database does not respond, the last result stays until the next check."""
        if connection.in_atomic_block:
            return
        try:
            locks = _needed()
        except (DatabaseError, InterfaceError):
            connection.close()
            return
        with self._lock:
            before, self._is_locked = self._is_locked, bool(locks)
        if self._is_locked and not before:
            by = "; ".join(f"{lock.table} by {lock.holder}" for lock in locks)
            log.warning("a table is locked; claiming stops until it is free", locked=by)
        elif before and not locks:
            log.warning("tables are no longer locked; claiming resumes")


def _needed() -> list[TableLock]:
    return [lock for lock in table_locks.held(at_once=True) if lock.table in NEEDED and not lock.is_of_rows]


locked_out = LockedOut()
