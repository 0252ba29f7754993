"""Opens the files of a backup: regular files only, without waiting and without following another user's link.

They are unbuffered, so that a program that inherits one finds it at the position that was sought.
"""

import os
import stat
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from config.backups.errors import BackupError
from lib.manage_command import manage


class Stamp(NamedTuple):
    """Which file it is and when it was last written: a file with another stamp has to be checked again."""

    device: int
    inode: int
    size: int
    written_ns: int


def resolved(named: Path) -> Path:
    """The file that an operator named, any links followed. Raises BackupError where there is none."""
    try:
        return named.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a circle of links before Python 3.13
        raise BackupError(f"there is no file {named}") from error


def opened(path: Path) -> FileIO:
    """Opens a file for reading. Raises BackupError for a link, folder, pipe or device, and never waits for one."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):  # before opening: opening a device may have effects
            raise _refusal(path)
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", buffering=0)
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise _refusal(path)
    return file


def created(path: Path) -> FileIO:
    """A new file for writing and reading back, for its owner alone. Raises FileExistsError where anything has the name,
    a link included."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0)


def stamp(file: FileIO) -> Stamp:
    """The stamp of an open file."""
    found = os.fstat(file.fileno())
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _refusal(path: Path) -> BackupError:
    return BackupError(f"{path} is not a regular file; expected a file that {manage('backup')} wrote")
