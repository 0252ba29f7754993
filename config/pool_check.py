"""Whether a pooled connection may be lent out: its socket is asked, since the server costs a round trip a request."""

import select
from typing import Any

from psycopg import Connection
from psycopg_pool import ConnectionPool

from config.lock_waits import lock_waits


def check(connection: Connection[Any]) -> None:
    """For the pool's `check`. Raises OperationalError for a connection that the server has closed.

    A server that ends a session says so on its socket, and then there is something to read. Where there is nothing, the
    connection is good as far as can be known; if there is, psycopg's own check distinguishes an end from a notice.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        ConnectionPool.check_connection(connection)
    lock_waits.apply(connection)
