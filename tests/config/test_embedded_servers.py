"""The embedded Postgres and Valkey, on data of their own."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from config.stack import paths
from config.stack.postgres import PostgresServer
from config.stack.processes import StackError
from config.stack.valkey import ValkeyServer
from tests.config.living import lives

pytestmark = pytest.mark.slow

SMALL = {"fsync": "off", "shared_buffers": "16MB"}  # a killed process loses nothing by it, a power cut would


@pytest.fixture(scope="module")
def private_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that only its owner may enter, as a home is."""
    folder = tmp_path_factory.mktemp("home")
    folder.chmod(0o700)
    return folder


@pytest.fixture(scope="module")
def data_dir(private_folder: Path) -> Iterator[Path]:
    yield private_folder / "var"
    shutil.rmtree(paths.socket_dir(private_folder / "var"), ignore_errors=True)


@pytest.fixture
def postgres(data_dir: Path) -> Iterator[PostgresServer]:
    server = postgres_on(data_dir)
    yield server
    server.stop()


@pytest.fixture
def valkey(data_dir: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(data_dir / "valkey", paths.socket_dir(data_dir))
    yield server
    server.stop()


def postgres_on(data_dir: Path, options: dict[str, str] | None = None) -> PostgresServer:
    return PostgresServer(data_dir / "postgres", paths.socket_dir(data_dir), SMALL | (options or {}))


def remember(server: PostgresServer, word: str) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("INSERT INTO words VALUES (%s)", [word])


def remembered(server: PostgresServer) -> list[str]:
    with psycopg.connect(server.url) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words")]


def test_postgres_listens_on_its_socket_alone_and_sorts_without_icu(postgres: PostgresServer) -> None:
    postgres.start()
    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SELECT lower('ÄÖ'), length('ÄÖ')").fetchone() == ("äö", 2)
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")


def test_its_data_is_there_after_it_was_killed(postgres: PostgresServer) -> None:
    postgres.start()
    remember(postgres, "before the kill")
    assert postgres.process.pid
    os.kill(postgres.process.pid, signal.SIGKILL)
    assert postgres.process.exited.wait(10)
    postgres.start()
    assert "before the kill" in remembered(postgres)


def test_a_postgres_left_behind_on_the_data_is_ended_and_replaced(
    postgres: PostgresServer, data_dir: Path
) -> None:
    postgres.start()
    remember(postgres, "of the one left behind")
    successor = postgres_on(data_dir)
    successor.start()
    assert postgres.process.exited.wait(10)
    assert "of the one left behind" in remembered(successor)
    successor.stop()


def test_a_stale_lock_file_with_the_id_of_a_living_stranger_is_no_obstacle(
    postgres: PostgresServer, data_dir: Path
) -> None:
    postgres.start()
    postgres.stop()
    with subprocess.Popen(["/bin/sleep", "600"]) as stranger:
        (data_dir / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n")
        postgres.start()
        assert lives(stranger.pid)
        stranger.kill()


def test_a_postgres_that_cannot_start_says_why_in_its_own_words(data_dir: Path) -> None:
    broken = postgres_on(data_dir, {"shared_buffers": "plenty"})
    with pytest.raises(StackError, match=r"postgres exited with 1 while starting; its last lines:\n.*plenty"):
        broken.start()


def test_a_folder_with_somebody_elses_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "letter.txt").write_text("dear")
    with pytest.raises(StackError, match="holds files but no Postgres data"):
        postgres_on(tmp_path).start()
    assert (tmp_path / "postgres" / "letter.txt").read_text() == "dear"


def test_the_folders_above_the_data_keep_their_permissions(
    postgres: PostgresServer, private_folder: Path, data_dir: Path
) -> None:
    postgres.start()
    assert private_folder.stat().st_mode & 0o777 == 0o700
    assert (data_dir / "postgres").stat().st_mode & 0o777 == 0o700
    assert paths.socket_dir(data_dir).stat().st_mode & 0o777 == 0o700


def test_valkey_listens_on_its_socket_alone(valkey: ValkeyServer) -> None:
    valkey.start()
    with Redis.from_url(valkey.url) as client:
        assert client.config_get("port") == {"port": "0"}


def test_valkey_keeps_what_was_written_over_a_kill_and_a_restart(valkey: ValkeyServer) -> None:
    valkey.start()
    with Redis.from_url(valkey.url) as client:
        client.set("written", "yes")
        assert client.config_get("appendonly", "appendfsync", "maxmemory-policy") == {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
        }
    assert valkey.process.pid
    os.kill(valkey.process.pid, signal.SIGKILL)
    assert valkey.process.exited.wait(10)
    valkey.start()
    with Redis.from_url(valkey.url) as client:
        assert client.get("written") == b"yes"


def test_a_valkey_left_behind_is_ended_and_replaced(valkey: ValkeyServer, data_dir: Path) -> None:
    valkey.start()
    successor = ValkeyServer(data_dir / "valkey", paths.socket_dir(data_dir))
    successor.start()
    assert valkey.process.exited.wait(10)
    assert successor.ready()
    successor.stop()
