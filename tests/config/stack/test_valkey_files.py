"""What Valkey cannot have left in its folder is found before it would wait for it, or fail over it later."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from config.stack import valkey_files
from config.stack.processes import StackError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One as Valkey leaves it."""
    below = tmp_path / "valkey" / "appendonlydir"
    below.mkdir(parents=True, mode=0o700)
    for name in ("appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof", "appendonly.aof.manifest"):
        (below / name).write_bytes(b"x" * 100)
    (tmp_path / "valkey" / "valkey.pid").write_text("1\n")
    return tmp_path / "valkey"


def test_a_folder_as_valkey_leaves_it_is_plain(folder: Path) -> None:
    valkey_files.demand_plain(folder, None)
    assert valkey_files.size(folder, None) == 302


def test_other_files_beside_its_own_are_ignored(folder: Path) -> None:
    (folder / "lost+found").mkdir(mode=0)
    (folder / "note").symlink_to("/dev/zero")
    valkey_files.demand_plain(folder, None)


STRANGE: dict[str, Callable[[Path], object]] = {
    "a pipe": lambda path: os.mkfifo(path),
    "a link": lambda path: path.symlink_to("/dev/zero"),
    "a dangling link": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize("name", ["appendonlydir/appendonly.aof.2.incr.aof", "dump.rdb", "valkey.pid"])
@pytest.mark.parametrize("kind", STRANGE)
def test_a_link_a_pipe_or_a_device_is_named(folder: Path, kind: str, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    STRANGE[kind](folder / name)
    with pytest.raises(StackError, match=rf"{name} is not a file: Valkey's data was expected"):
        valkey_files.demand_plain(folder, None)


@pytest.mark.parametrize("name", ["appendonlydir", "appendonlydir/appendonly.aof.manifest"])
def test_what_its_owner_may_not_read_and_write_is_named(folder: Path, name: str) -> None:
    (folder / name).chmod(0o400)
    with pytest.raises(StackError, match=f"{name} may not be read and written by its owner"):
        valkey_files.demand_plain(folder, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("name", ["appendonlydir", "appendonlydir/appendonly.aof.manifest"])
def test_a_file_of_another_user_is_named(folder: Path, name: str) -> None:
    os.chown(folder / name, 1234, 1234)
    with pytest.raises(StackError, match=f"{name} belongs to another user"):
        valkey_files.demand_plain(folder, None)


def test_a_folder_that_cannot_be_looked_into_has_no_size(tmp_path: Path) -> None:
    assert valkey_files.size(tmp_path / "none", None) == 0
