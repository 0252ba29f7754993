"""Dropping a database that is not empty of sessions."""

import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from lib.scratch_databases import drop_database
from tests.databases import address_of
from tests.waiting import wait_until

_WORKS_THERE = (
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = %s AND backend_type = 'autovacuum worker'"
)


@pytest.fixture
def session() -> Iterator[psycopg.Connection]:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as session:
        yield session


@pytest.fixture
def scratch(session: psycopg.Connection) -> Iterator[str]:
    name = f"dropped_{os.getpid()}"
    drop_database(session, name)
    session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield name
    drop_database(session, name)


def exists(session: psycopg.Connection, name: str) -> bool:
    return bool(session.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchall())


def test_a_session_in_a_database_is_ended_and_the_database_dropped(
    session: psycopg.Connection, scratch: str
) -> None:
    with psycopg.connect(address_of(scratch)) as inside:
        drop_database(session, scratch)
        assert not exists(session, scratch)
        with pytest.raises(psycopg.OperationalError):
            inside.execute("SELECT 1")


def test_a_missing_database_is_not_an_error(session: psycopg.Connection) -> None:
    drop_database(session, "no database of this name")


@pytest.fixture
def superuser() -> Iterator[psycopg.Connection]:
    if not (url := os.environ.get("VECTORPRESS_TEST_MAINTENANCE_URL")):
        pytest.skip("VECTORPRESS_TEST_MAINTENANCE_URL names no superuser of the tests' server")
    with psycopg.connect(url, autocommit=True) as superuser:
        yield superuser


def test_a_vacuum_of_the_servers_own_does_not_keep_a_role_from_dropping_its_database(
    session: psycopg.Connection, scratch: str, superuser: psycopg.Connection
) -> None:
    """FORCE is refused then: only a superuser may end the server's own process that way."""
    with psycopg.connect(address_of(scratch), autocommit=True) as inside:
        inside.execute(
            "CREATE TABLE worn (id int) WITH (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1,"
            " autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0)"
        )
        inside.execute("INSERT INTO worn SELECT generate_series(1, 200000)")
        inside.execute("DELETE FROM worn")
    try:
        superuser.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
        superuser.execute("SELECT pg_reload_conf()")
        wait_until(
            lambda: superuser.execute(_WORKS_THERE, [scratch]).fetchone() == (True,), 30, "an autovacuum"
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(scratch)))
        drop_database(session, scratch)
    finally:
        superuser.execute("ALTER SYSTEM RESET autovacuum_naptime")
        superuser.execute("SELECT pg_reload_conf()")
    assert not exists(session, scratch)
