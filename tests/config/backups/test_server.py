"""The database that is backed up: how it is reached, and what is in it."""

import psycopg
import pytest

from config.backups import server
from config.backups.server import Server
from tests.config.backups.archives import execute

pytestmark = pytest.mark.django_db


def test_a_password_goes_through_the_environment() -> None:
    environment = Server(
        {"dbname": "d", "password": "geheim", "host": "h", "sslmode": "require"}
    ).environment()
    assert environment == {"PGDATABASE": "d", "PGPASSWORD": "geheim", "PGHOST": "h", "PGSSLMODE": "require"}


def test_what_libpq_knows_no_variable_for_is_left_out() -> None:
    assert Server({"dbname": "d", "unknown": "x"}).environment() == {"PGDATABASE": "d"}
    assert Server({}).database == ""


def test_the_settings_name_a_database_that_can_be_reached() -> None:
    of = Server.of_settings()
    with of.connect() as session:
        assert session.info.dbname == of.database
        schema, role, _ = server.identity(session)
        assert (schema, role) == ("public", session.info.user)


def test_the_tables_of_the_queue_are_those_of_its_models() -> None:
    names = server.queue_tables()
    assert {"embedding_tasks", "embedding_audit_logs"} <= set(names)
    assert not {"articles", "embedding_spaces", "auth_user"} & set(names)
    assert names == sorted(names)


def test_an_empty_database_has_no_tables_and_no_migrations(target: Server) -> None:
    with target.connect() as session:
        assert server.tables(session) == []
        assert server.migrations(session, []) == {}
        assert server.count(session, []) == {}


def test_tables_of_the_current_schema_are_counted_by_their_exact_name(target: Server) -> None:
    execute(
        target,
        'CREATE TABLE "a b""; DROP" (n int)',
        "CREATE TABLE plain (n int)",
        "CREATE VIEW seen AS SELECT 1",
        "INSERT INTO plain VALUES (1), (2)",
        "CREATE SCHEMA other",
        "CREATE TABLE other.plain (n int)",
    )
    with target.connect() as session:
        names = server.tables(session)
        assert names == ['a b"; DROP', "plain"]
        assert server.count(session, names) == {'a b"; DROP': 0, "plain": 2}
        assert server.count(session, ["plain"], "other") == {"plain": 0}
        with pytest.raises(psycopg.errors.UndefinedTable):
            server.count(session, ["missing"])


def test_the_newest_migration_of_each_app_counts(target: Server) -> None:
    execute(
        target,
        "CREATE TABLE django_migrations (app text, name text)",
        "INSERT INTO django_migrations VALUES ('a', '0001_x'), ('a', '0002_y'), ('b', '0001_z')",
    )
    with target.connect() as session:
        assert server.migrations(session, ["django_migrations"]) == {"a": "0002_y", "b": "0001_z"}
