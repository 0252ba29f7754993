"""The embedded Valkey, on data of its own; test_damaged_valkey.py has what it does about a folder that went bad."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from config.stack import paths
from config.stack.valkey import ValkeyServer

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    folder.chmod(0o700)
    yield folder / "var"
    shutil.rmtree(paths.socket_dir(folder / "var"), ignore_errors=True)


@pytest.fixture
def valkey(data_dir: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(data_dir / "valkey", paths.socket_dir(data_dir))
    yield server
    server.stop()


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


def test_without_a_server_it_is_not_ready_and_has_no_advice(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path / "valkey", tmp_path / "run")
    assert not server.ready()
    assert server.advice() == ""


@pytest.mark.parametrize(("append_only", "word"), [(True, "yes"), (False, "no")])
def test_it_writes_to_disk_only_where_it_is_asked_to(tmp_path: Path, append_only: bool, word: str) -> None:
    words = ValkeyServer(tmp_path / "valkey", tmp_path / "run", append_only=append_only).process.command
    assert words[words.index("--appendonly") + 1] == word
    assert words[words.index("--save") + 1] == ""


def test_a_link_in_the_folders_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "valkey").symlink_to(tmp_path)
    server = ValkeyServer(tmp_path / "home" / "valkey", tmp_path / "run")
    assert server.data_dir == tmp_path / "elsewhere" / "valkey"
