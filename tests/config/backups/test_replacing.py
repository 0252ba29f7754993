"""What a restore does around an archive: it locks, clears, loosens and counts, in one transaction."""

from collections.abc import Iterator

import psycopg
import pytest

from config.backups import replacing, server
from config.backups.errors import BackupError
from config.backups.running import Target
from config.backups.server import Server
from tests.config.backups.archives import execute

pytestmark = pytest.mark.django_db


@pytest.fixture
def opened(target: Server) -> Iterator[Target]:
    """A session in the empty database."""
    with target.connect() as session:
        yield Target(session, "public", session.info.server_version // 10_000)
        session.rollback()


TABLES = (
    "CREATE TABLE articles (id int PRIMARY KEY)",
    "CREATE TABLE tasks (id int PRIMARY KEY, article_id int REFERENCES articles ON DELETE CASCADE)",
    'CREATE TABLE "odd ""name" (task_id int REFERENCES tasks)',
    "INSERT INTO articles VALUES (1), (2)",
    "INSERT INTO tasks VALUES (1, 1), (2, 2), (3, NULL)",
)


def rows(of: Target, statement: str) -> list[object]:
    return [value for (value,) in of.session.execute(statement.encode()).fetchall()]


def test_no_time_ends_the_transaction(opened: Target) -> None:
    opened.session.execute("SET statement_timeout = '1s'")
    replacing.begin(opened)
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        assert rows(opened, f"SHOW {name}") == ["0"]


def test_everything_of_the_schema_goes_and_what_extensions_brought_stays(
    target: Server, opened: Target
) -> None:
    execute(
        target,
        "CREATE EXTENSION IF NOT EXISTS vector",
        *TABLES,
        "CREATE VIEW seen AS SELECT * FROM tasks",
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM tasks",
        "CREATE SEQUENCE numbers",
        "CREATE FUNCTION one(a int, b text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE PROCEDURE two() LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA other",
        "CREATE TABLE other.stays (n int)",
    )
    replacing.clear(opened)
    assert server.tables(opened.session) == []
    left = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r','v','m','S')"
    assert rows(opened, left) == []
    assert rows(opened, "SELECT proname FROM pg_proc WHERE proname IN ('one', 'two')") == []
    assert rows(opened, "SELECT '[1]'::vector::text") == ["[1]"]
    assert server.count(opened.session, ["stays"], "other") == {"stays": 0}


def test_what_refers_to_something_that_is_gone_is_left_out_and_the_rules_hold_again(
    target: Server, opened: Target
) -> None:
    execute(target, *TABLES, "DELETE FROM articles WHERE id = 2")
    with replacing.loosened(opened, ["tasks", 'odd "name']):
        assert server.count(opened.session, ["tasks"]) == {"tasks": 0}
        opened.session.execute("INSERT INTO tasks VALUES (1, 1), (2, 2), (3, NULL)")
    assert rows(opened, "SELECT id FROM tasks ORDER BY id") == [1, 3]
    with pytest.raises(psycopg.errors.ForeignKeyViolation), opened.session.transaction():
        opened.session.execute("INSERT INTO tasks VALUES (4, 99)")
    opened.session.execute("DELETE FROM articles")
    assert rows(opened, "SELECT id FROM tasks") == [3]  # ON DELETE CASCADE is as it was


@pytest.mark.parametrize(("number", "is_right"), [(2, True), (1, False), (3, False), (0, False)])
def test_rows_that_did_not_arrive_are_an_error(
    target: Server, opened: Target, number: int, is_right: bool
) -> None:
    execute(target, *TABLES)
    if is_right:
        replacing.demand_rows(opened, {"articles": number})
        return
    with pytest.raises(BackupError, match="articles"):
        replacing.demand_rows(opened, {"articles": number})


def test_tables_are_taken_from_everybody_and_the_wait_is_bounded(
    target: Server, opened: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing, "_ATTEMPTS", 2)
    monkeypatch.setattr(replacing, "_SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(replacing, "_PATIENCE", "SET LOCAL lock_timeout = '20ms'")
    execute(target, *TABLES)
    replacing.begin(opened)
    replacing.lock(opened, [])
    with target.connect() as other:
        other.execute("SELECT FROM tasks")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            replacing.lock(opened, ["articles", "tasks"])
        other.rollback()
        replacing.lock(opened, ["articles", "tasks", 'odd "name'])
        other.execute("SET lock_timeout = '20ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("SELECT FROM articles")


def test_a_setting_of_the_database_or_its_role_is_noticed(target: Server, opened: Target) -> None:
    before = replacing.database_settings(opened)
    assert replacing.database_settings(opened) == before
    name = target.parameters["dbname"]
    opened.session.execute(f"ALTER DATABASE \"{name}\" SET work_mem = '5MB'".encode())
    assert replacing.database_settings(opened) != before
