"""The classification of SQLSTATEs."""

import psycopg
import pytest
from django.db import DataError, InterfaceError, OperationalError, ProgrammingError, connection, transaction

from queueops.base import database_refusals
from queueops.base.database_refusals import Blame

CASES = {
    # the connection ended, or none is to be had: the same once more
    "08000": Blame.CONNECTION,
    "08006": Blame.CONNECTION,
    "25P03": Blame.CONNECTION,
    "40001": Blame.CONNECTION,
    "40P01": Blame.CONNECTION,
    "53300": Blame.CONNECTION,
    "57P01": Blame.CONNECTION,
    "57P02": Blame.CONNECTION,
    "57P03": Blame.CONNECTION,
    # another session holds it
    "55P03": Blame.LOCK,
    # one row's, or all rows'
    "22000": Blame.ROWS,
    "22P02": Blame.ROWS,
    "23502": Blame.ROWS,
    "23503": Blame.ROWS,
    "23505": Blame.ROWS,
    "23514": Blame.ROWS,
    "23P01": Blame.ROWS,
    "38000": Blame.ROWS,
    "42501": Blame.ROWS,
    "44000": Blame.ROWS,
    "54000": Blame.ROWS,
    "57014": Blame.ROWS,
    "P0001": Blame.ROWS,
    "XX000": Blame.ROWS,
    "ABCDE": Blame.ROWS,
    # the server takes no such write
    "25006": Blame.DATABASE,
    "28000": Blame.DATABASE,
    "3D000": Blame.DATABASE,
    "42703": Blame.DATABASE,
    "42P01": Blame.DATABASE,
    "53000": Blame.DATABASE,
    "53100": Blame.DATABASE,
    "53200": Blame.DATABASE,
    "53400": Blame.DATABASE,
    "55000": Blame.DATABASE,
    "57P04": Blame.DATABASE,
    "58000": Blame.DATABASE,
    "58030": Blame.DATABASE,
    "58P01": Blame.DATABASE,
    "F0000": Blame.DATABASE,
    "XX001": Blame.DATABASE,
    "XX002": Blame.DATABASE,
}
WORDS = {
    "53100": "53100 disk full",
    "25006": "25006 read-only",
    "42501": "42501 no privilege",
    "P0001": "P0001 refused by a trigger",
    "23514": "23514 refused by a check constraint",
    "23503": "23503 refused by a constraint",
    "57P04": "57P04 database dropped",
    "58P02": "58P02 duplicate file",
    "XX002": "XX002 index corrupted",
    "ABCDE": "ABCDE refused",
}


@pytest.mark.parametrize(("sqlstate", "blame"), CASES.items())
def test_whose_fault_it_may_be(sqlstate: str, blame: Blame) -> None:
    assert database_refusals.blame_of(sqlstate) is blame


@pytest.mark.parametrize(("sqlstate", "words"), WORDS.items())
def test_it_is_named_in_words(sqlstate: str, words: str) -> None:
    assert database_refusals.Refusal(sqlstate, Blame.ROWS, "").reason == words


@pytest.mark.parametrize(
    ("error", "blame"),
    [
        (OperationalError("consuming input failed"), Blame.CONNECTION),
        (InterfaceError("connection already closed"), Blame.CONNECTION),
        (psycopg.OperationalError("couldn't get a connection after 30 s"), Blame.CONNECTION),
        (DataError("cannot dump"), Blame.ROWS),
        (ProgrammingError("the query has 0 placeholders"), Blame.DATABASE),
    ],
)
def test_without_a_code_the_class_counts(error: Exception, blame: Blame) -> None:
    refusal = database_refusals.of(error)
    assert (refusal.sqlstate, refusal.blame, refusal.message) == ("", blame, str(error))


@pytest.mark.django_db
def test_of_what_the_server_says_the_first_line_is_kept_and_no_row() -> None:
    with pytest.raises(OperationalError) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "DO $$ BEGIN RAISE 'No space left' USING ERRCODE = '53100', DETAIL = 'Failing row contains a text'; END $$"
        )
    assert str(database_refusals.of(raised.value)) == "53100 disk full: No space left"
