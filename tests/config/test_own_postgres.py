"""Servers of somebody's own: what they cannot do is a sentence before the first table, and never a traceback."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from config.stack.binaries import postgres_bin_dir
from tests.config.live_processes import free_port
from tests.starting import start
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="its servers run as an account of their own"),
]
OLD = Path("/usr/lib/postgresql/15/bin")
ACCOUNT = pwd.getpwnam("nobody")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vectorpress-test-") as name:
        Path(name).chmod(0o755)
        shared = Path(name) / "servers"
        shared.mkdir()
        os.chown(shared, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
        yield shared


@contextmanager
def running(*command: object, port: int) -> Iterator[None]:
    """The program as an account that is not root, until it accepts connections."""
    words = [str(each) for each in command]
    account = {"user": ACCOUNT.pw_uid, "group": ACCOUNT.pw_gid, "extra_groups": []}
    process = subprocess.Popen(words, stderr=subprocess.PIPE, cwd="/", text=True, **account)  # type: ignore[call-overload]
    try:
        wait_until(lambda: process.poll() is not None or answers(port), 60, words[0])
        assert process.poll() is None, process.stderr.read()
        yield
    finally:
        process.terminate()
        process.communicate()


def url(port: int, database: str = "own", role: str = "app") -> str:
    return f"postgresql://{role}@127.0.0.1:{port}/{database}"


def answers(port: int) -> bool:
    try:
        psycopg.connect(url(port, "postgres", "postgres"), connect_timeout=2).close()
    except psycopg.OperationalError as error:
        return "no such database" in str(error) or "pgbouncer" in str(error)
    return True


@contextmanager
def cluster(programs: Path, data: Path) -> Iterator[int]:
    """A server with a database `own` of a role `app` that may do nothing else; its port."""
    port = free_port()
    account = {"user": ACCOUNT.pw_uid, "group": ACCOUNT.pw_gid, "extra_groups": []}
    initdb = [
        programs / "initdb",
        "-D",
        data,
        "-A",
        "trust",
        "-U",
        "postgres",
        "--no-sync",
        "--locale=C",
        "-E",
        "UTF8",
    ]
    subprocess.run(initdb, check=True, capture_output=True, cwd="/", **account)  # type: ignore[call-overload]
    options = ["-c", "fsync=off", "-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1"]
    with running(programs / "postgres", "-D", data, "-p", port, *options, port=port):
        with psycopg.connect(url(port, "postgres", "postgres"), autocommit=True) as session:
            session.execute("CREATE ROLE app LOGIN")
            session.execute("CREATE DATABASE own OWNER app")
        yield port


@pytest.fixture(scope="module")
def new(folder: Path) -> Iterator[int]:
    with cluster(postgres_bin_dir(), folder / "new") as port:
        yield port


def migrated(port: int, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return start("migrate", DATABASE_URL=url(port), DATA_DIR=str(tmp_path))


def tables(port: int) -> int:
    with psycopg.connect(url(port)) as session:
        row = session.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert row
    return int(row[0])


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.skipif(not (OLD / "postgres").exists(), reason="there is no Postgres 15")
def test_a_server_that_is_too_old_gets_no_table(folder: Path, tmp_path: Path) -> None:
    with cluster(OLD, folder / "old") as port:
        said = refused(migrated(port, tmp_path))
        assert "is too old. Use Postgres 16 or newer" in said
        assert tables(port) == 0


def test_a_role_that_may_not_install_pgvector_is_told_the_statement(new: int, tmp_path: Path) -> None:
    said = refused(migrated(new, tmp_path))
    assert "As a superuser, run in the database own: CREATE EXTENSION vector;" in said
    assert tables(new) == 0


@pytest.mark.skipif(not shutil.which("pgbouncer"), reason="pgbouncer is not installed")
@pytest.mark.parametrize(
    ("mode", "says"), [("transaction", "pool_mode transaction"), ("session", "startup parameter")]
)
def test_a_pooler_that_would_break_locks_or_limits_is_named(
    new: int, folder: Path, tmp_path: Path, mode: str, says: str
) -> None:
    port, file = free_port(), folder / f"{mode}.ini"
    file.write_text(
        f"[databases]\nown = host=127.0.0.1 port={new} user=app\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nauth_type = any\npool_mode = {mode}\nunix_socket_dir =\n"
    )
    with running("pgbouncer", file, port=port):
        said = refused(migrated(port, tmp_path))
        assert says in said
        assert "Let DATABASE_URL name Postgres itself" in said


def test_with_the_statement_run_everything_is_made(new: int, tmp_path: Path) -> None:
    with psycopg.connect(url(new, role="postgres"), autocommit=True) as session:
        session.execute("CREATE EXTENSION IF NOT EXISTS vector")
    done = migrated(new, tmp_path)
    assert done.returncode == 0, done.stderr
    assert tables(new) > 14
