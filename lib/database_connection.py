"""The thread's database connection, where it must not be held."""

from django.db import connection


def release() -> None:
    """Gives the connection back, as before a call of a provider: others need it meanwhile, and the server may close one
    that is idle. Inside a transaction it is kept."""
    if not connection.in_atomic_block:
        connection.close()
