"""A worker process that met a locked table: it claims nothing until nobody holds one, and says so once."""

import threading
import time
from collections.abc import Callable

import structlog
from django.db import DatabaseError, InterfaceError, connection

from queueops.base import database_refusals, table_locks
from queueops.base.database_refusals import Blame
from queueops.base.table_locks import TableLock

LOOK_AGAIN_SECONDS = 1.0
# Without one of these no batch can be settled, so that asking the provider for its vectors would be wasted.
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
    """Any thread may ask and change it. Costs nothing until a lock was met."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_met = False
        self._looked_at = float("-inf")

    def note(self, error: Exception) -> bool:
        """Whether this error is a statement's that waited for a lock in vain; where it is a whole table that is
        locked, all threads know then."""
        if database_refusals.of(error).blame is not Blame.LOCK:
            return False
        if not self._is_met:
            self._look()
        return True

    def is_lasting(self) -> bool:
        """Whether a table that workers need is still locked; asked of the database once a second."""
        if not self._is_met:
            return False
        with self._lock:
            is_time = time.monotonic() - self._looked_at >= LOOK_AGAIN_SECONDS
            if is_time:
                self._looked_at = time.monotonic()
        if is_time:
            self._look()
        return self._is_met

    def unless(self, work: Callable[[], object]) -> None:
        """Does `work`, which may end early where it meets a lock: that is noted."""
        try:
            work()
        except DatabaseError as error:
            if not self.note(error):
                raise

    def forget(self) -> None:
        """As if no lock had been met."""
        with self._lock:
            self._is_met = False

    def _look(self) -> None:
        """Where the database does not answer, what was known stays so: the next look finds out."""
        if connection.in_atomic_block:
            return
        try:
            locks = _needed()
        except (DatabaseError, InterfaceError):
            connection.close()
            return
        with self._lock:
            before, self._is_met = self._is_met, bool(locks)
        if self._is_met and not before:
            by = "; ".join(f"{lock.table} by {lock.holder}" for lock in locks)
            log.warning("a table is locked; nothing is claimed until it is free", locked=by)
        elif before and not locks:
            log.warning("no table is locked any more")


def _needed() -> list[TableLock]:
    return [lock for lock in table_locks.held(at_once=True) if lock.table in NEEDED and not lock.is_of_rows]


locked_out = LockedOut()
