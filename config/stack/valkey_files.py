"""The files that Valkey reads at its start: what a server cannot have left there itself, and how large they are.

Looked at by descriptor, with the rights of the folder's account; no link is followed and nothing is read.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from config.stack.processes import Account, StackError
from config.stack.work_as_owner import acting

_READ_AT_START = ("appendonlydir", "appendonly.aof", "dump.rdb", "valkey.pid")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_TO_ITS_OWNER = {stat.S_IFREG: 0o600, stat.S_IFDIR: 0o700}


class _Entry(NamedTuple):
    path: Path
    status: os.stat_result


def demand_plain(folder: Path, account: Account | None) -> None:
    """Raises StackError for an entry that Valkey reads and that is a link, a pipe or a device, is another user's, or
    that its owner may not read and write: some of these would keep it waiting for ever, or fail it later."""
    with acting(account, folder.parent):
        for path, found in _entries(folder):
            needed = _OPEN_TO_ITS_OWNER.get(stat.S_IFMT(found.st_mode))
            if needed is None:
                raise StackError(f"{path} is not a file: Valkey's data was expected. Move it away.")
            if found.st_uid != os.geteuid():
                raise StackError(f"{path} belongs to another user: Valkey's data was expected. Move it away.")
            if found.st_mode & needed != needed:
                raise StackError(f"{path} may not be read and written by its owner: run chmod u+rwX on it.")


def size(folder: Path, account: Account | None) -> int:
    """The number of bytes to read, as far as visible."""
    try:
        with acting(account, folder.parent):
            return sum(found.st_size for _, found in _entries(folder) if stat.S_ISREG(found.st_mode))
    except (OSError, StackError):
        return 0


def _entries(folder: Path) -> Iterator[_Entry]:
    """Entries of the folder and its subfolder under Valkey's names."""
    opened = os.open(folder, _FOLDER)
    try:
        for name in _READ_AT_START:
            if (found := _status(name, opened)) is None:
                continue
            yield _Entry(folder / name, found)
            if stat.S_ISDIR(found.st_mode):
                yield from _below(folder / name, opened)
    finally:
        os.close(opened)


def _below(folder: Path, parent: int) -> Iterator[_Entry]:
    opened = os.open(folder.name, _FOLDER, dir_fd=parent)
    try:
        with os.scandir(opened) as entries:
            for entry in entries:
                yield _Entry(folder / entry.name, entry.stat(follow_symlinks=False))
    finally:
        os.close(opened)


def _status(name: str, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
