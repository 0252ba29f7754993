"""Sets aside files that a server cannot start with: beside their place, renamed, the newest few kept.

Names are resolved from a descriptor of the folder above, and no link is followed.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

from config.stack.ownership import rights_in
from config.stack.processes import Account

KEPT = 3
_MARK = ".damaged-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def set_aside(path: Path, account: Account | None) -> Path:
    """Renames the file or folder of this name, of any owner, and removes all but the newest KEPT of those set aside
    before.

    The new name begins with the old one. What is the account's is private to it from then on; what is another user's
    cannot be removed, and stays. Raises OSError or StackError.
    """
    with _above(path, account) as parent:
        name = _free_name(path.name, parent)
        os.rename(path.name, name, src_dir_fd=parent, dst_dir_fd=parent)
        _make_private(name, parent)
        earlier = [each for each in _names(parent) - {name} if each.startswith(path.name + _MARK)]
        for each in sorted(earlier)[: 1 - KEPT]:
            _remove(each, parent)
    return path.with_name(name)


def remove(path: Path, account: Account | None) -> None:
    """Removes whatever has this name, as far as the account may: a link itself, and never what it leads to."""
    with _above(path, account) as parent:
        _remove(path.name, parent)


@contextmanager
def _above(path: Path, account: Account | None) -> Iterator[int]:
    """The folder above, open, with the rights that are used in it."""
    with rights_in(path.parent, account):
        parent = os.open(path.parent, _FOLDER)
        try:
            yield parent
        finally:
            os.close(parent)


def _free_name(of: str, parent: int) -> str:
    stem = f"{of}{_MARK}{datetime.now(UTC):%Y%m%d-%H%M%S}"
    taken = _names(parent)
    return next(name for name in chain([stem], (f"{stem}-{n}" for n in count(2))) if name not in taken)


def _names(folder: int) -> set[str]:
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries}


def _make_private(name: str, parent: int) -> None:
    """Also what its owner may not open. Who could exchange it for a link is its owner, whose rights we have."""
    kind = stat.S_IFMT(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    if kind in (stat.S_IFDIR, stat.S_IFREG):
        with suppress(PermissionError):  # another user's
            os.chmod(name, 0o700 if kind == stat.S_IFDIR else 0o600, dir_fd=parent)


def _remove(name: str, parent: int) -> None:
    with suppress(OSError):
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            _open_up(name, parent)
            shutil.rmtree(name, ignore_errors=True, dir_fd=parent)
        else:
            os.unlink(name, dir_fd=parent)


def _open_up(name: str, parent: int) -> None:
    """Lets its owner into a folder and those below, so that they can be emptied."""
    _make_private(name, parent)
    for _, folders, _, opened in os.fwalk(name, dir_fd=parent):
        for folder in folders:
            _make_private(folder, opened)
