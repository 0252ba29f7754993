"""The cause of a database that does not answer, or that refuses, as a sentence."""

import contextlib

import psycopg
from django.db import connection
from psycopg_pool import PoolTimeout

from lib.database_errors import is_held_up
from lib.manage_command import manage
from queueops.base import database_refusals
from queueops.base.database_refusals import Blame

_SECONDS = 3
_DISK_FULL, _READ_ONLY, _NO_TABLE = "53100", "25006", "42P01"  # SQLSTATEs


def sentence(error: BaseException) -> str:
    """One sentence: the database does not answer, or why it refuses, and what to do."""
    refusal = database_refusals.of(error)
    if refusal.sqlstate == _DISK_FULL:
        return f"the database's disk is full: {reason(error)}; free some space, then run this again"
    if refusal.sqlstate == _READ_ONLY:
        return (
            f"the database is read-only: {reason(error)}; set DATABASE_URL to the primary, or reset "
            "default_transaction_read_only"
        )
    if refusal.sqlstate == _NO_TABLE:
        return f"a table is missing: {reason(error)}; run {manage('migrate')}"
    if (refusal.sqlstate and refusal.blame is not Blame.CONNECTION) or is_held_up(error):
        return f"the database refused the statement: {reason(error)}"
    is_away = _is_of_pool(error) or _is_of_connecting(error)
    advice = f"; start it ({manage('runstack')}), or correct DATABASE_URL" if is_away else ""
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
