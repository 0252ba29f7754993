"""Which pooled connections are lent out."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from config import pool_check

pytestmark = pytest.mark.django_db


@pytest.fixture
def pooled() -> Iterator[psycopg.Connection]:
    with psycopg.connect(**connection.get_connection_params()) as opened:
        opened.autocommit = True
        yield opened


def test_a_quiet_connection_is_lent_without_asking_the_server(pooled: psycopg.Connection) -> None:
    before = _statements_of(pooled)
    pool_check.check(pooled)
    assert _statements_of(pooled) == before


def test_a_connection_that_the_server_ended_is_not_lent(pooled: psycopg.Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pooled.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        pool_check.check(pooled)


def test_a_connection_with_news_for_its_client_is_lent(pooled: psycopg.Connection) -> None:
    pooled.execute("LISTEN news")
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        other.execute("NOTIFY news")
    pool_check.check(pooled)
    assert pooled.execute("SELECT 1").fetchone() == (1,)


def _statements_of(pooled: psycopg.Connection) -> str:
    """The last statement of the session, and when it ended, as the server tells."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT query || state_change FROM pg_stat_activity WHERE pid = %s", [pooled.info.backend_pid]
        )
        return str(cursor.fetchone()[0])
