"""The lock time-out of a request: DATABASE_LOCK_TIMEOUT, and 50 ms while a lock is known to be held.

While another session locks a table, each request that needs it would keep a thread for all of that time, and searches
that do not need it would find no thread. So after one has reached the time limit, the others of this process stop
waiting almost at once, until none has met a lock for a while.
"""

import time
from typing import Any
from weakref import WeakSet

from psycopg import Connection, errors, pq

HARDLY_MS = 50
KNOWN_SECONDS = 5.0


class LockWaits:
    """The time-out set on sessions of this process when they are lent out; any thread may read and change it."""

    def __init__(self) -> None:
        self._until = 0.0
        self._shortened: WeakSet[Connection[Any]] = WeakSet()

    def shorten(self) -> None:
        """A request has just reached the time limit of its wait for a lock."""
        self._until = time.monotonic() + KNOWN_SECONDS

    def apply(self, connection: Connection[Any]) -> None:
        """For a connection outside a transaction. Costs a statement where something changes, else next to nothing."""
        if not self._until:
            return
        is_short = time.monotonic() < self._until
        if is_short is (connection in self._shortened):
            return
        _run(connection, f"SET lock_timeout = {HARDLY_MS}" if is_short else "RESET lock_timeout")
        if is_short:
            self._shortened.add(connection)
        else:
            self._shortened.discard(connection)

    def forget(self) -> None:
        """As at the start."""
        self._until = 0.0


def _run(connection: Connection[Any], statement: str) -> None:
    """Without a transaction, whatever the connection would begin."""
    result = connection.pgconn.exec_(statement.encode())
    if result.status != pq.ExecStatus.COMMAND_OK:
        raise errors.OperationalError(f"{statement} was refused")


lock_waits = LockWaits()
