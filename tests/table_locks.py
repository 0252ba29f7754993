"""A stranger who locks tables, as a forgotten psql does."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection

STRANGER = "a stranger"
_PLACES = ("host", "port", "user", "password", "dbname")


@contextmanager
def locked(table: str, mode: str = "ACCESS EXCLUSIVE") -> Iterator[int]:
    """The table is locked as long as the context lasts; the pid of the session that holds it."""
    with _stranger() as session:
        session.execute(f'LOCK TABLE "{table}" IN {mode} MODE'.encode())
        yield session.info.backend_pid


@contextmanager
def rows_locked(table: str) -> Iterator[int]:
    """The same with each row of the table."""
    with _stranger() as session:
        session.execute(f'SELECT FROM "{table}" FOR UPDATE'.encode())
        yield session.info.backend_pid


@contextmanager
def waiting_at_most(milliseconds: int) -> Iterator[None]:
    """This thread's session gives up waiting for locks, as those of a web process do."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {milliseconds:d}")
    try:
        yield
    finally:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")


@contextmanager
def _stranger() -> Iterator[psycopg.Connection]:
    known = connection.get_connection_params()
    address = {name: known[name] for name in _PLACES if name in known}
    with psycopg.connect(**address, application_name=STRANGER) as session:
        yield session
        session.rollback()
