"""The embedded Postgres, on data of its own."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from config.stack import paths
from config.stack.postgres import PostgresServer, quoted, server_environment, shared_memory
from config.stack.processes import StackError
from tests.config.live_processes import lives

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


def test_a_stale_lock_file_with_the_id_of_another_living_process_does_not_block(
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


@pytest.mark.parametrize(
    ("folder", "element"),
    [("/a", '"/a"'), ("/a b,c", '"/a b,c"'), ('/say "x"', '"/say ""x"""'), ("/ä'\\", '"/ä\'\\"')],
)
def test_a_folder_is_one_element_of_a_list_whatever_its_name_holds(folder: str, element: str) -> None:
    assert quoted(Path(folder)) == element


def test_a_server_gets_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTH_TOKEN", "SECRET_KEY", "DATABASE_URL", "PGPASSWORD"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.delenv("TMPDIR", raising=False)
    found = server_environment()
    assert "secret" not in found.values()
    assert (found["LC_ALL"], found["PATH"]) == ("C", os.environ["PATH"])
    assert "TMPDIR" not in found


@pytest.mark.parametrize(
    ("blocks", "found"),
    [
        (0, {"dynamic_shared_memory_type": "mmap"}),
        (131_071, {"dynamic_shared_memory_type": "mmap"}),
        (131_072, {}),
    ],
)
def test_a_small_shared_memory_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, blocks: int, found: object
) -> None:
    room = os.statvfs_result((4_096, 4_096, 0, 0, blocks, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: room)
    assert shared_memory() == found


def test_a_machine_without_shared_memory_has_no_setting_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> os.statvfs_result:
        raise FileNotFoundError

    monkeypatch.setattr(os, "statvfs", missing)
    assert shared_memory() == {}


def test_options_of_the_caller_come_last_and_the_addresses_name_their_roles(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "data", tmp_path / "run", {"max_connections": "7"}, database="other")
    words = server.process.command
    assert words.count("max_connections=7") == 1
    assert "max_connections=100" not in words
    assert "listen_addresses=" in words
    assert "other" in server.url
    assert paths.DATABASE_USER in server.url
    assert paths.SUPERUSER in server.maintenance_url


@pytest.mark.parametrize(
    ("lines", "is_ready"),
    [(None, False), ([""] * 8, False), (["x"] * 7 + ["starting"], False), (["x"] * 7, False)],
)
def test_without_the_word_ready_in_its_lock_file_nobody_connects(
    tmp_path: Path, lines: list[str] | None, is_ready: bool
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    if lines is not None:
        (data / "postmaster.pid").write_text("\n".join(lines))
    assert PostgresServer(data, tmp_path / "run").ready() is is_ready


def test_the_advice_leaves_the_data_alone_and_names_the_way_back(tmp_path: Path) -> None:
    advice = PostgresServer(tmp_path / "data", tmp_path / "run").advice()
    assert str(tmp_path / "data") in advice
    assert "restore" in advice
