"""The cause of a database that does not answer, as a sentence."""

import contextlib

import psycopg
from django.db import connection
from psycopg_pool import PoolTimeout

_SECONDS = 3
_DISK_FULL = "53100"  # SQLSTATE


def sentence(error: BaseException) -> str:
    """One sentence: the database does not answer or its disk is full, why, and what to do."""
    if getattr(error.__cause__, "sqlstate", "") == _DISK_FULL:
        return f"the database's disk is full: {reason(error)}; free some space, then run this again"
    is_away = _is_of_pool(error) or _is_of_connecting(error)
    advice = "; start it (./dev up), or correct DATABASE_URL" if is_away else ""
    return f"the database does not answer: {reason(error)}{advice}"


def reason(error: BaseException) -> str:
    """The error in one line, without passwords. A pool only reports a timeout, so the server's reply to a connection of
    our own is returned instead."""
    if _is_of_pool(error):
        parameters = connection.get_connection_params() | {"connect_timeout": _SECONDS}
        try:
            # if that succeeds, the pool was busy, and its own message is correct
            with contextlib.closing(psycopg.connect(**parameters)):
                pass
        except psycopg.Error as found:
            error = found
    # each address that was tried has a line; the last is as good as any
    lines = [each.strip() for each in str(error).strip().splitlines()] or [type(error).__name__]
    tried = [each.removeprefix("- ") for each in lines if each.startswith("- ")]
    return tried[-1] if tried else lines[0]


def _is_of_pool(error: BaseException) -> bool:
    return isinstance(error, PoolTimeout) or isinstance(error.__cause__, PoolTimeout)


def _is_of_connecting(error: BaseException) -> bool:
    """psycopg's errors carry a connection object only if connecting failed."""
    return any(getattr(each, "pgconn", None) is not None for each in (error, error.__cause__))
