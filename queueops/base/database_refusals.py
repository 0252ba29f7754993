"""Classifies a database error by its SQLSTATE alone; pure.

The codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import psycopg
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError

_MESSAGE_CHARACTERS = 200


class Blame(StrEnum):
    """What may have caused a refused write."""

    CONNECTION = "connection"  # it ended, or none is available: retry when the server is back
    LOCK = "lock"  # another session holds the lock
    ROWS = "rows"  # one row or all rows: a write of other rows shows which
    DATABASE = "database"  # the server accepts no such write, whatever the text


@dataclass(frozen=True)
class Refusal:
    """`sqlstate` is empty if the error has none; `message` is the server's message in one line; `table` refused the
    row, empty for the table of vectors or if it is not known."""

    sqlstate: str
    blame: Blame
    message: str
    table: str = ""

    @property
    def reason(self) -> str:
        """The SQLSTATE in words: "53100 disk full"."""
        return f"{self.sqlstate} {_words(self.sqlstate)}".strip()

    def __str__(self) -> str:
        text = f"{self.reason}: {self.message}" if self.message else self.reason
        return f"{text.rstrip('.')}, in {self.table}" if self.table else text


# The longest matching prefix of a SQLSTATE counts. Unlisted ones are treated as ROWS: settling by halves finds out.
_BLAMES = {
    "08": Blame.CONNECTION,
    "25P03": Blame.CONNECTION,  # idle in transaction for too long: the worker froze
    "25P04": Blame.CONNECTION,
    "40": Blame.CONNECTION,  # rolled back because of another transaction
    "53300": Blame.CONNECTION,  # too many clients
    "57P01": Blame.CONNECTION,
    "57P02": Blame.CONNECTION,
    "57P03": Blame.CONNECTION,
    "57P05": Blame.CONNECTION,
    "55P03": Blame.LOCK,
    "25": Blame.DATABASE,  # read-only
    "28": Blame.DATABASE,
    "3D": Blame.DATABASE,
    "3F": Blame.DATABASE,
    "42": Blame.DATABASE,  # tables and columns that are missing
    "42501": Blame.ROWS,  # a privilege; but row security refuses single rows with it too
    "53": Blame.DATABASE,  # disk, memory, limits
    "55": Blame.DATABASE,
    "57P": Blame.DATABASE,
    "58": Blame.DATABASE,  # I/O
    "F0": Blame.DATABASE,
    "XX001": Blame.DATABASE,
    "XX002": Blame.DATABASE,
}
_WORDS = {
    "23": "refused by a constraint",
    "23514": "refused by a check constraint",
    "25006": "read-only",
    "42501": "no privilege",
    "42703": "a column is missing",
    "42P01": "a table is missing",
    "53100": "disk full",
    "53200": "out of memory",
    "57014": "cancelled or timed out",
    "58030": "I/O error",
    "P0001": "refused by a trigger",
}
_TABLE = "refused_table"  # an attribute of the error
_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def of(error: BaseException) -> Refusal:
    """The refusal in an error of Django or the driver."""
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    if isinstance(cause, psycopg.Error) and cause.sqlstate:
        message = _first_line(cause.diag.message_primary or "")
        return Refusal(cause.sqlstate, blame_of(cause.sqlstate), message, getattr(error, _TABLE, ""))
    return Refusal("", _blame_without_code(error), _first_line(str(error)) or type(error).__name__)


@contextmanager
def named(table: str) -> Iterator[None]:
    """The refusal in a database error raised in this context names the table, which the server does not."""
    try:
        yield
    except DatabaseError as error:
        setattr(error, _TABLE, table)
        raise


def blame_of(sqlstate: str) -> Blame:
    """The blame of the longest known prefix."""
    return next((_BLAMES[part] for part in _prefixes(sqlstate) if part in _BLAMES), Blame.ROWS)


def _blame_without_code(error: BaseException) -> Blame:
    """For errors raised by the driver itself: mostly a broken connection."""
    if isinstance(
        error, OperationalError | InterfaceError | psycopg.OperationalError | psycopg.InterfaceError
    ):
        return Blame.CONNECTION
    values = (DataError, IntegrityError, psycopg.DataError, psycopg.IntegrityError)
    return Blame.ROWS if isinstance(error, values) else Blame.DATABASE


def _words(sqlstate: str) -> str:
    """Our words for the condition if we have some, else the driver's name for it."""
    if known := next((_WORDS[part] for part in _prefixes(sqlstate) if part in _WORDS), ""):
        return known
    try:
        return _CAPITALS.sub(" ", psycopg.errors.lookup(sqlstate).__name__).lower()
    except KeyError:
        return "refused" if sqlstate else "the connection broke"


def _prefixes(sqlstate: str) -> list[str]:
    return [sqlstate[:length] for length in range(len(sqlstate), 1, -1)]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:_MESSAGE_CHARACTERS]
