"""Why the database does not answer, in words that name the cause."""

import contextlib

import psycopg
from django.db import connection
from psycopg_pool import PoolTimeout

_SECONDS = 3
_DISK_FULL = "53100"  # SQLSTATE


def sentence(error: BaseException) -> str:
    """That the database does not answer, or has no room, why, and what to do about it."""
    if getattr(error.__cause__, "sqlstate", "") == _DISK_FULL:
        return f"the database has no room: {reason(error)}; free some on its disk, then run this again"
    is_away = _is_of_pool(error) or _is_of_connecting(error)
    advice = "; start it (./dev up), or correct DATABASE_URL" if is_away else ""
    return f"the database does not answer: {reason(error)}{advice}"


def reason(error: BaseException) -> str:
    """The error in one line. A pool only says that it got no connection in time: then what the server says to a
    connection of our own is told. No password is part of it."""
    if _is_of_pool(error):
        parameters = connection.get_connection_params() | {"connect_timeout": _SECONDS}
        try:
            # where that succeeds, the pool was busy, and its own words are true
            with contextlib.closing(psycopg.connect(**parameters)):
                pass
        except psycopg.Error as found:
            error = found
    # of several addresses that were tried, each has a line; the last is as good as any
    lines = [each.strip() for each in str(error).strip().splitlines()] or [type(error).__name__]
    tried = [each.removeprefix("- ") for each in lines if each.startswith("- ")]
    return tried[-1] if tried else lines[0]


def _is_of_pool(error: BaseException) -> bool:
    return isinstance(error, PoolTimeout) or isinstance(error.__cause__, PoolTimeout)


def _is_of_connecting(error: BaseException) -> bool:
    """psycopg's errors hold a connection where there came none about, and only then."""
    return any(getattr(each, "pgconn", None) is not None for each in (error, error.__cause__))
