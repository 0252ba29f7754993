"""Statements that the server parses once a connection."""

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from lib import prepared_statements

pytestmark = pytest.mark.django_db
STATEMENT = "SELECT %(value)s::text || ' of this test'"


def prepared() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [statement for (statement,) in cursor.fetchall() if "of this test" in statement]


def ask(value: str) -> str:
    with prepared_statements.cursor() as cursor:
        cursor.execute(STATEMENT, {"value": value})
        return str(cursor.fetchone()[0])


def test_a_statement_that_repeats_is_prepared_without_its_values() -> None:
    assert [ask(f"value {n}") for n in range(8)][-1] == "value 7 of this test"
    (statement,) = prepared()
    assert "value" not in statement


def test_djangos_own_statements_are_not_prepared() -> None:
    ask("a")
    for _ in range(8):
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s || ' by Django of this test'", ["a"])
    assert not [statement for statement in prepared() if "by Django" in statement]


@pytest.mark.parametrize("value", ["'", "%s", "\\", "'; DROP TABLE articles; --", "\U0001f642"])
def test_a_value_is_never_read_as_a_statement(value: str) -> None:
    assert ask(value) == f"{value} of this test"


def test_an_error_is_one_of_djangos_and_the_connection_prepares_no_more(
    django_db_blocker: DjangoDbBlocker,
) -> None:
    with pytest.raises(DataError), prepared_statements.cursor() as cursor:
        cursor.execute("SELECT %(a)s::int", {"a": "x"})
    assert connection.connection.prepare_threshold is None


def test_statements_are_seen_by_whoever_looks_at_the_log() -> None:
    with CaptureQueriesContext(connection) as queries:
        ask("seen")
    assert len(queries) == 1
