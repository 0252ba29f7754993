"""A file of the data folder that holds room for a start on a full disk, so that one can get in and remove something."""

import os
from contextlib import suppress
from pathlib import Path

from config.stack import disk_space
from config.stack.work_as_owner import working_in

NAME = "reserve"
BYTES = 48 * 1024 * 1024
_KEPT_FROM = 10 * BYTES  # of room: less is left to the data
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def keep(data_dir: Path) -> None:
    """Makes the file where it is missing and there is room to spare; without it a start has nothing to fall back on."""
    path = data_dir / NAME
    if (
        not hasattr(os, "posix_fallocate")
        or (disk_space.free(data_dir) or 0) < _KEPT_FROM
        or os.path.lexists(path)
    ):
        return
    with suppress(OSError):
        opened = os.open(path, _NEW, 0o600)
        try:
            os.posix_fallocate(opened, 0, BYTES)
        except OSError:
            path.unlink()
        finally:
            os.close(opened)


def give_up(data_dir: Path) -> bool:
    """Removes it if there is less space than a start needs; returns whether there was one."""
    if not disk_space.is_short(data_dir):
        return False
    with working_in(data_dir):
        try:
            (data_dir / NAME).unlink()
        except OSError:
            return False
    return True
