"""Whatever state the embedded Valkey's folder is in, it starts; what is sound is never set aside."""

import os
import random
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from config.stack import accounts, damaged_files, ownership, paths
from config.stack.binaries import valkey_server
from config.stack.processes import StackError
from config.stack.valkey import ValkeyServer
from drills import broker_files

pytestmark = pytest.mark.slow

BIG = 24 * 1024 * 1024


@pytest.fixture(scope="module")
def sound() -> Iterator[Path]:
    """A data folder whose Valkey was used, rewrote its file once and was stopped."""
    with tempfile.TemporaryDirectory(prefix="vectorpress-test-") as home:
        yield used(Path(home))


def used(home: Path) -> Path:
    home.chmod(0o755)  # pytest's own folders are closed to the account of the servers
    data_dir = owned(home / "var")
    server = ValkeyServer(data_dir / "valkey", paths.socket_dir(data_dir))
    server.start()
    with Redis.from_url(server.url) as client:
        client.set("kept", "yes")
        client.rpush("list", *("x" * 50 for _ in range(50)))
        client.bgrewriteaof()
        while client.info("persistence")["aof_rewrite_in_progress"]:
            server.process.exited.wait(0.01)
        for number in range(50):
            client.set(f"later:{number}", "x")
    server.stop()
    shutil.rmtree(paths.socket_dir(data_dir), ignore_errors=True)
    return data_dir


@pytest.fixture
def data_dir(sound: Path) -> Iterator[Path]:
    """A copy of it, in the same hands."""
    with tempfile.TemporaryDirectory(prefix="vectorpress-test-") as home:
        Path(home).chmod(0o755)
        copy = Path(home) / "var"
        shutil.copytree(sound, copy)
        for path in (copy, *copy.rglob("*")):
            os.chown(path, sound.stat().st_uid, sound.stat().st_gid)
        yield copy
        shutil.rmtree(paths.socket_dir(copy), ignore_errors=True)


def owned(folder: Path) -> Path:
    """A new data folder, which root gives to the account that its servers run as."""
    folder.mkdir()
    if account := accounts.account_for(folder):
        ownership.hand_over(folder, account, ())
    return folder


@pytest.fixture
def server(data_dir: Path) -> Iterator[ValkeyServer]:
    made = ValkeyServer(data_dir / "valkey", paths.socket_dir(data_dir))
    yield made
    made.stop()


def lines_of(server: ValkeyServer) -> list[str]:
    said: list[str] = []
    server.process.on_line = lambda _, line: said.append(line)
    return said


def kept(server: ValkeyServer) -> bytes | None:
    with Redis.from_url(server.url) as client:
        found = client.get("kept")
    return found if isinstance(found, bytes) else None


def set_aside_in(data_dir: Path) -> list[Path]:
    return sorted(path for path in data_dir.iterdir() if path.name.startswith("valkey."))


FATAL = [
    ("base", "cut"),
    ("incr", "garbled"),
    ("manifest", "garbled"),
    ("manifest", "empty"),
    ("base", "of a newer version"),
    ("incr", "missing"),
    ("base", "of another owner"),
    ("manifest", "unreadable"),
    ("base", "a pipe"),
    ("incr", "a link"),
    ("manifest", "a folder"),
    ("appendonlydir", "a file"),
    ("appendonlydir", "of another owner"),
    ("valkey", "a file"),
    ("valkey", "a link"),
    ("valkey", "a pipe"),
    ("valkey", "of another owner"),
]


@pytest.mark.parametrize(("target", "name"), FATAL, ids=[" ".join(pair) for pair in FATAL])
def test_what_it_cannot_start_with_is_set_aside_by_name_and_it_starts_empty(
    target: str, name: str, data_dir: Path, server: ValkeyServer
) -> None:
    if (target, name) not in broker_files.ALL:
        pytest.skip("only root can give a file to another owner")
    broker_files.damages(target)[name](broker_files.find(data_dir, target), random.Random(7))
    said = lines_of(server)
    server.start()
    assert kept(server) is None
    (aside_now,) = set_aside_in(data_dir)
    assert aside_now.name.startswith("valkey.damaged-")
    if (
        name != "of another owner"
        and not aside_now.is_symlink()
        and (aside_now.is_dir() or aside_now.is_file())
    ):
        assert aside_now.lstat().st_mode & 0o077 == 0
    (sentence,) = [line for line in said if "set aside" in line]
    assert str(data_dir / "valkey") in sentence
    assert aside_now.name in sentence
    assert broker_files.litter(data_dir) == []


def test_a_sound_folder_stays_and_keeps_what_it_holds(data_dir: Path, server: ValkeyServer) -> None:
    server.start()
    assert kept(server) == b"yes"
    assert set_aside_in(data_dir) == []


def test_a_file_that_was_cut_in_its_last_write_loses_that_write_alone(
    data_dir: Path, server: ValkeyServer
) -> None:
    last = broker_files.find(data_dir, "incr")
    os.truncate(last, last.stat().st_size - 7)
    server.start()
    assert kept(server) == b"yes"
    assert set_aside_in(data_dir) == []


def test_where_an_empty_folder_does_not_start_either_a_sound_one_stays(
    data_dir: Path, server: ValkeyServer
) -> None:
    socket = paths.valkey_socket(paths.socket_dir(data_dir))
    socket.mkdir(parents=True)
    for path in (socket.parent, socket):
        os.chown(path, data_dir.stat().st_uid, data_dir.stat().st_gid)
    with pytest.raises(StackError, match="valkey exited with 1 while starting"):
        server.start()
    assert set_aside_in(data_dir) == []
    socket.rmdir()
    server.start()
    assert kept(server) == b"yes"


def test_where_memory_is_short_a_sound_folder_stays(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy = ValkeyServer(data_dir / "valkey", paths.socket_dir(data_dir))
    roomy.start()
    with Redis.from_url(roomy.url) as client:
        for number in range(4):
            client.set(f"big:{number}", os.urandom(BIG))
    roomy.stop()
    program = tmp_path / "valkey-server"
    program.write_text(f'#!/bin/sh\nulimit -v {120 * 1024}\nexec {valkey_server()} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("VALKEY_SERVER", str(program))
    narrow = ValkeyServer(data_dir / "valkey", paths.socket_dir(data_dir))
    with pytest.raises(StackError, match="valkey"):
        narrow.start()
    assert set_aside_in(data_dir) == []
    assert narrow._try(data_dir / "valkey.empty")  # an empty one does start in so little
    monkeypatch.delenv("VALKEY_SERVER")
    again = ValkeyServer(data_dir / "valkey", paths.socket_dir(data_dir))
    again.start()
    assert kept(again) == b"yes"
    again.stop()


def test_a_start_that_somebody_kills_says_nothing_of_the_folder(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "valkey-server"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *valkey.new*) exec {valkey_server()} "$@";; esac\nkill -9 $$\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("VALKEY_SERVER", str(program))
    with pytest.raises(StackError, match="was ended by SIGKILL"):
        ValkeyServer(data_dir / "valkey", paths.socket_dir(data_dir)).start()
    assert set_aside_in(data_dir) == []


def test_the_newest_few_are_kept(data_dir: Path) -> None:
    account = accounts.account_for(data_dir)
    names = [f"valkey.damaged-2020010{day}-000000" for day in range(1, 6)]
    for name in names:
        (data_dir / name).mkdir()
        (data_dir / name / "below").mkdir()
        (data_dir / name / "below" / "file").touch()
    shutil.rmtree(data_dir / names[0])
    (data_dir / names[0]).symlink_to(data_dir / "elsewhere")
    (data_dir / "elsewhere").mkdir()
    for path in data_dir.rglob("*"):
        os.chown(path, data_dir.stat().st_uid, data_dir.stat().st_gid, follow_symlinks=False)
    (data_dir / names[1] / "below").chmod(0)
    (data_dir / names[2]).chmod(0)
    made = damaged_files.set_aside(data_dir / "valkey", account)
    assert set_aside_in(data_dir) == [*(data_dir / name for name in names[-2:]), made]
    assert (data_dir / "elsewhere").is_dir()


def test_a_folder_that_goes_bad_while_the_server_runs_is_set_aside_at_its_restart(
    data_dir: Path, server: ValkeyServer
) -> None:
    server.start()
    assert server.process.pid
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.exited.wait()
    broker_files.damages("base")["garbled"](broker_files.find(data_dir, "base"), random.Random(7))
    server.start()
    assert len(set_aside_in(data_dir)) == 1
