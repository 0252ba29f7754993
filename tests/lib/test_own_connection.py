"""A connection for a look that must not wait."""

import time

import pytest
from django.db import OperationalError, connection

from lib.database_errors import CANCELLED, LOCKED, is_held_up, sqlstate
from lib.own_connection import own_connection
from tests.table_locks import locked
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def _pid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _is_there(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_clear_snapshot(), count(*) FROM pg_stat_activity WHERE pid = %s", [pid]
        )
        return bool(cursor.fetchone()[1])


def test_what_is_asked_goes_through_a_session_of_its_own_which_is_gone_afterwards() -> None:
    usual = _pid()
    with own_connection("a look", lock_ms=50, statement_ms=500):
        own = _pid()
        with connection.cursor() as cursor:
            cursor.execute("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()")
            assert cursor.fetchone() == ("a look",)
    assert own != usual == _pid()
    wait_until(lambda: not _is_there(own))  # the server ends it after the connection has closed


def test_it_waits_neither_for_a_lock_nor_for_a_statement() -> None:
    began = time.monotonic()
    with own_connection("a look", lock_ms=50, statement_ms=200), connection.cursor() as cursor:
        with locked("articles"), pytest.raises(OperationalError) as refused:
            cursor.execute("SELECT FROM articles")
        assert (sqlstate(refused.value), is_held_up(refused.value)) == (LOCKED, True)
        with pytest.raises(OperationalError) as cut:
            cursor.execute("SELECT pg_sleep(30)")
        assert (sqlstate(cut.value), is_held_up(cut.value)) == (CANCELLED, True)
    assert time.monotonic() - began < 15


def test_an_error_of_a_lost_connection_has_no_state() -> None:
    assert sqlstate(OperationalError("gone")) == ""
    assert not is_held_up(OperationalError("gone"))
