"""What an error of the database means, by its state."""

import psycopg
import pytest
from django.db import OperationalError
from psycopg.errors import UndefinedTable

from lib.database_errors import CANCELLED, DEADLOCK, LOCKED, is_held_up, sqlstate


class _Wrapped(Exception):
    """As Django wraps the driver's error."""

    def __init__(self, cause: BaseException | None) -> None:
        self.__cause__ = cause


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (psycopg.errors.LockNotAvailable(), "55P03"),
        (_Wrapped(psycopg.errors.QueryCanceled()), "57014"),
        (_Wrapped(_Wrapped(psycopg.errors.QueryCanceled())), ""),  # only the one that Django wraps
        (psycopg.OperationalError("gone"), ""),
        (OperationalError(), ""),
        (ValueError(), ""),
        (_Wrapped(None), ""),
    ],
)
def test_the_state_is_that_of_the_error_or_of_its_cause(error: Exception, state: str) -> None:
    assert sqlstate(error) == state


@pytest.mark.parametrize(
    ("kind", "held_up"),
    [
        (psycopg.errors.LockNotAvailable, True),
        (psycopg.errors.QueryCanceled, True),
        (psycopg.errors.DeadlockDetected, True),
        (psycopg.errors.SerializationFailure, False),
        (psycopg.errors.AdminShutdown, False),
        (psycopg.errors.UndefinedTable, False),
        (psycopg.OperationalError, False),
    ],
)
def test_a_statement_is_held_up_by_others_or_by_its_time(
    kind: type[UndefinedTable | psycopg.OperationalError], held_up: bool
) -> None:
    assert is_held_up(_Wrapped(kind())) is held_up


def test_the_states_are_those_of_the_driver() -> None:
    errors = psycopg.errors
    found = [
        error.sqlstate for error in (errors.LockNotAvailable, errors.QueryCanceled, errors.DeadlockDetected)
    ]
    assert found == [LOCKED, CANCELLED, DEADLOCK]
