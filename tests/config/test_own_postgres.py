"""Servers of somebody's own: what they cannot do is a sentence before the first table, and never a traceback."""

import os
import pwd
import secrets
import shutil
import socket
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
    process = subprocess.Popen(
        words, stderr=subprocess.DEVNULL, cwd="/", user=ACCOUNT.pw_uid, group=ACCOUNT.pw_gid
    )
    try:
        wait_until(lambda: process.poll() is not None or listens(port), 60, words[0])
        assert process.poll() is None, f"{words[0]} ended"
        yield
    finally:
        process.terminate()
        process.wait()


def url(port: int, database: str, role: str = "app") -> str:
    return f"postgresql://{role}@127.0.0.1:{port}/{database}"


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def accepts(port: int) -> bool:
    try:
        psycopg.connect(url(port, "postgres", "postgres"), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def cluster(programs: Path, data: Path) -> Iterator[int]:
    """A server with a role `app` that may do nothing; its port."""
    port = free_port()
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
    subprocess.run(
        [str(each) for each in initdb],
        check=True,
        capture_output=True,
        cwd="/",
        user=ACCOUNT.pw_uid,
        group=ACCOUNT.pw_gid,
    )
    options = ["-c", "fsync=off", "-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1"]
    with running(programs / "postgres", "-D", data, "-p", port, *options, port=port):
        wait_until(lambda: accepts(port), 60, "Postgres")
        execute(port, "postgres", "CREATE ROLE app LOGIN")
        yield port


def execute(port: int, database: str, statement: str) -> None:
    """As the superuser."""
    with psycopg.connect(url(port, database, "postgres"), autocommit=True) as session:
        session.execute(statement.encode())


@pytest.fixture(scope="module")
def new(folder: Path) -> Iterator[int]:
    with cluster(postgres_bin_dir(), folder / "new") as port:
        yield port


@pytest.fixture
def database(new: int) -> str:
    """A database of the role `app`, without pgvector."""
    name = f"own_{secrets.token_hex(4)}"
    execute(new, "postgres", f"CREATE DATABASE {name} OWNER app")
    return name


def migrated(port: int, database: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return start("migrate", DATABASE_URL=url(port, database), DATA_DIR=str(tmp_path))


def tables(port: int, database: str) -> int:
    with psycopg.connect(url(port, database)) as session:
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
        execute(port, "postgres", "CREATE DATABASE own OWNER app")
        said = refused(migrated(port, "own", tmp_path))
        assert "is too old. Use Postgres 16 or newer" in said
        assert tables(port, "own") == 0


def test_a_role_that_may_not_install_pgvector_is_told_the_statement(
    new: int, database: str, tmp_path: Path
) -> None:
    said = refused(migrated(new, database, tmp_path))
    assert f"As a superuser, run in the database {database}: CREATE EXTENSION vector;" in said
    assert tables(new, database) == 0
    execute(new, database, "CREATE EXTENSION vector")
    done = migrated(new, database, tmp_path)
    assert done.returncode == 0, done.stderr
    assert tables(new, database) > 14


@pytest.mark.skipif(not shutil.which("pgbouncer"), reason="pgbouncer is not installed")
@pytest.mark.parametrize(
    ("mode", "says"), [("transaction", "pool_mode transaction"), ("session", "startup parameter")]
)
def test_a_pooler_that_would_break_locks_or_limits_is_named(
    new: int, database: str, folder: Path, tmp_path: Path, mode: str, says: str
) -> None:
    port, file = free_port(), folder / f"{mode}.ini"
    file.write_text(
        f"[databases]\n{database} = host=127.0.0.1 port={new} user=app\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nauth_type = any\npool_mode = {mode}\nunix_socket_dir =\n"
    )
    with running("pgbouncer", file, port=port):
        said = refused(migrated(port, database, tmp_path))
        assert says in said
        assert "Let DATABASE_URL name Postgres itself" in said
        assert tables(new, database) == 0
