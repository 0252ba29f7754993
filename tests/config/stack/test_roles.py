"""The embedded Postgres' roles: data made when everybody was superuser is the product's role's after the next start."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from config.stack import accounts, ownership, paths, roles
from config.stack.binaries import postgres_bin_dir
from config.stack.capabilities import to_reach
from config.stack.postgres import PostgresServer, server_environment
from config.stack.processes import Account, Process, launcher
from tests.paths import ROOT
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
SMALL = {"fsync": "off", "shared_buffers": "16MB"}
NOBODY = Account(65534, 65534)
OWN_OBJECTS = """
CREATE SCHEMA aside; SET search_path = aside; CREATE TYPE aside.mood AS ENUM ('well'); CREATE DOMAIN name AS text;
CREATE TABLE aside.parent (id serial PRIMARY KEY, at int GENERATED ALWAYS AS IDENTITY) PARTITION BY RANGE (id);
CREATE TABLE aside.part PARTITION OF aside.parent FOR VALUES FROM (0) TO (9);
CREATE SEQUENCE "Odd name"; CREATE MATERIALIZED VIEW seen AS SELECT 1 AS one; CREATE VIEW looked AS SELECT 1 AS one;
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';
CREATE PROCEDURE nothing() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int); CREATE TYPE pair AS (a int, b int);
"""
OWNED_BY_SUPERUSER = """
SELECT relname FROM pg_class WHERE relowner = 10 AND relnamespace IN ('public'::regnamespace, 'aside'::regnamespace)
UNION ALL SELECT proname FROM pg_proc p WHERE proowner = 10
  AND pronamespace IN ('public'::regnamespace, 'aside'::regnamespace)
  AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
UNION ALL SELECT typname FROM pg_type t WHERE typowner = 10
  AND typnamespace IN ('public'::regnamespace, 'aside'::regnamespace)
  AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = coalesce(nullif(t.typelem, 0), t.oid) AND deptype = 'e')
UNION ALL SELECT nspname FROM pg_namespace WHERE nspowner = 10 AND nspname = 'aside'
"""


class Installation:
    """A data folder with commands that work on it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def manage(self, *words: str, **settings: str) -> str:
        """What a command prints; it must end well."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "REDIS_URL", "ENV_FILE")}
        own = {"DATA_DIR": str(self.data_dir), "DATABASE_POOL": "0", "EMBEDDING_PROVIDER": "ollama"}
        ran = subprocess.run(
            [sys.executable, "manage.py", *words],
            env=kept | own | settings,
            cwd=ROOT,
            text=True,
            capture_output=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def save(self, slug: str, **settings: str) -> None:
        code = f"from articles.models import Article; Article.objects.create(slug={slug!r}, title='Sleeping cats')"
        self.manage("shell", "--no-imports", "-c", code, **settings)


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """As an earlier release left it: `trust` for everybody, one role, all tables its own."""
    with tempfile.TemporaryDirectory(prefix="vectorpress-test-") as home:
        Path(home).chmod(0o711)  # pytest's own folders are closed to the account of root's stack
        yield old_installation(Path(home) / "var")


def old_installation(data_dir: Path) -> Installation:
    data_dir.mkdir()
    sockets = paths.socket_dir(data_dir)
    account = NOBODY if os.geteuid() == 0 else None
    for folder in (sockets, data_dir / "postgres"):
        folder.mkdir(mode=0o700)
        if account:
            os.chown(folder, account.uid, account.gid)
    made = Installation(data_dir)
    server = old_server(data_dir / "postgres", sockets, account)
    try:
        address = paths.postgres_url(sockets, "postgres", "postgres")
        wait_until(lambda: answers(address), 30, "the old server")
        with psycopg.connect(address, autocommit=True) as session:
            session.execute("CREATE DATABASE vectorpress")
        url = paths.postgres_url(sockets, user="postgres")
        made.manage("migrate", "-v0", DATABASE_URL=url)
        made.save("of-old", DATABASE_URL=url)
        with psycopg.connect(url) as session:
            session.execute(OWN_OBJECTS)
    finally:
        assert server.stop(10)
    return made


def old_server(folder: Path, sockets: Path, account: Account | None) -> Process:
    programs = postgres_bin_dir()
    needed = to_reach(account, programs / "postgres", folder, sockets)
    before = launcher(signal.SIGKILL, account, needed)
    words = [str(programs / "initdb"), "-D", str(folder), "--username=postgres", "--auth=trust", "--no-sync"]
    subprocess.run([*before, *words, "--no-locale", "-E", "UTF8"], env=server_environment(), check=True)
    flags = ["-D", folder, "-c", "listen_addresses=", "-c", f"unix_socket_directories={sockets}", "-F"]
    command = [str(part) for part in (programs / "postgres", *flags)]
    process = Process("old", command, stop_signal=signal.SIGINT, env=server_environment(), account=account)
    process.capabilities = needed
    return process.start()


def answers(address: str) -> bool:
    try:
        psycopg.connect(address).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(scope="module")
def server(installation: Installation) -> Iterator[PostgresServer]:
    """This release on the old data."""
    if account := accounts.account_for(installation.data_dir):
        ownership.hand_over(installation.data_dir, account, ())
    folder = installation.data_dir
    started = PostgresServer(folder / "postgres", paths.socket_dir(folder), SMALL)
    started.start()
    yield started
    started.stop()


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as session:
        answer = session.execute(query.encode())
        return answer.fetchall() if answer.description else []


def test_the_role_owns_everything_of_the_old_data_and_is_not_a_superuser(server: PostgresServer) -> None:
    assert rows(server.url, OWNED_BY_SUPERUSER) == []
    assert rows(
        server.url, "SELECT datdba::regrole::text FROM pg_database WHERE datname = 'vectorpress'"
    ) == [("vectorpress",)]
    flags = "rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
    assert rows(server.url, f"SELECT {flags} FROM pg_roles WHERE rolname = current_user") == [(False,) * 5]


def test_it_may_neither_run_programs_nor_read_files_nor_become_another(server: PostgresServer) -> None:
    for forbidden in (
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('PG_VERSION')",
        "SET ROLE postgres",
        "CREATE ROLE another SUPERUSER",
        "ALTER SYSTEM SET work_mem = '1MB'",
        "CREATE DATABASE another",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(server.url, forbidden)


def test_nobody_is_trusted_any_more(server: PostgresServer) -> None:
    found = rows(
        server.maintenance_url, "SELECT type, database, user_name, auth_method FROM pg_hba_file_rules"
    )
    assert found == [("local", ["all"], ["all"], "peer")]
    with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
        psycopg.connect(server.url.replace("vectorpress@", "pg_monitor@"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the stack as another account")
def test_the_account_of_the_stack_is_not_a_superuser_either(server: PostgresServer) -> None:
    assert server.account
    with accounts.acting_as(server.account):
        with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
            psycopg.connect(server.maintenance_url)
        psycopg.connect(server.url).close()


def test_a_second_start_changes_nothing(server: PostgresServer) -> None:
    names = ("pg_hba.conf", "pg_ident.conf")
    before = [(server.data_dir / name).stat().st_mtime_ns for name in names]
    server.stop()
    server.start()
    assert [(server.data_dir / name).stat().st_mtime_ns for name in names] == before
    assert rows(server.url, OWNED_BY_SUPERUSER) == []


def test_a_handing_over_that_was_cut_off_is_finished_by_the_next_start(server: PostgresServer) -> None:
    """As a kill leaves it between two of its transactions, or a restore that the superuser has made by hand."""
    with psycopg.connect(server.maintenance_url, autocommit=True) as session:
        session.execute("ALTER TABLE articles OWNER TO postgres")
        session.execute("ALTER DATABASE vectorpress OWNER TO postgres")
    roles.settle(server.socket_dir, server.database)
    assert rows(server.url, OWNED_BY_SUPERUSER) == []
    assert rows(server.url, "SELECT slug FROM articles WHERE slug = 'of-old'") == [("of-old",)]


def test_a_database_that_locks_everybody_out_is_open_again_at_the_next_start(server: PostgresServer) -> None:
    """What its owner may set, and with it a function of a restored archive."""
    for statement in (
        "ALTER DATABASE vectorpress SET local_preload_libraries = 'x'",
        "ALTER DATABASE vectorpress SET statement_timeout = 1",
        "ALTER DATABASE vectorpress CONNECTION LIMIT 0",
        "REVOKE CONNECT ON DATABASE vectorpress FROM PUBLIC, vectorpress",
        "ALTER ROLE vectorpress SET statement_timeout = 1",
        "ALTER ROLE vectorpress IN DATABASE vectorpress SET search_path = nowhere",
    ):
        with psycopg.connect(
            paths.postgres_url(server.socket_dir, "postgres", paths.SUPERUSER), autocommit=True
        ) as session:
            session.execute(statement.encode())
    with pytest.raises(psycopg.Error):
        rows(server.url, "SELECT pg_sleep(1)")
    server.stop()
    server.start()
    assert rows(server.url, "SELECT slug FROM articles WHERE slug = 'of-old'") == [("of-old",)]
    assert rows(server.url, "SELECT * FROM pg_db_role_setting") == []


def test_every_command_works_on_the_old_data_as_that_role(
    installation: Installation, server: PostgresServer
) -> None:
    rows(server.url, "DROP SCHEMA aside CASCADE")
    installation.manage("migrate", "--check")
    installation.save("of-new")
    assert rows(server.url, "SELECT slug FROM articles ORDER BY slug") == [("of-new",), ("of-old",)]
    assert "role: vectorpress is not a superuser" in installation.manage("embed_check", "database")

    installation.manage("backup")
    (archive,) = (installation.data_dir / "backups").glob("*.dump")
    with psycopg.connect(server.url) as session:
        session.execute("DELETE FROM articles")
    installation.manage("restore", str(archive), "--yes")
    assert rows(server.url, "SELECT slug FROM articles ORDER BY slug") == [("of-new",), ("of-old",)]
    installation.manage("remove_queue", "--yes")
    assert rows(server.url, "SELECT to_regclass('embedding_tasks')") == [(None,)]
    installation.manage("migrate", "-v0")
    rows(server.url, "CREATE SCHEMA aside")  # other tests look into it, in any order


def test_the_scratch_database_of_a_rollback_drill_is_made_by_the_superuser_and_owned_by_the_role(
    installation: Installation, server: PostgresServer
) -> None:
    code = (
        "from queueops.operate.rollback import scratch_database as scratch; import psycopg\n"
        "with scratch.database() as url, psycopg.connect(url) as session:\n"
        "    print(*session.execute('SELECT current_user, extname FROM pg_extension').fetchall())\n"
    )
    said = installation.manage("shell", "--no-imports", "-c", code)
    assert "('vectorpress', 'vector')" in said
    assert rows(server.url, "SELECT datname FROM pg_database WHERE datname LIKE '%_drill'") == []
