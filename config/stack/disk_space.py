"""Free disk space, and the sentence for a write that found none."""

import errno
import os
from contextlib import suppress
from pathlib import Path

from config.stack import path_owners

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of a write on a full disk, beyond a quota, or beyond a file's maximum size."""
NEEDED = 32 * 1024 * 1024
"""Space for a start: Postgres writes its journal in pieces of 16 MB."""


def is_missing(error: BaseException) -> bool:
    """Whether this error means a full disk."""
    return isinstance(error, OSError) and error.errno in NO_ROOM


def free(folder: Path) -> int | None:
    """Free bytes for this existing or future folder; None if unknown."""
    with suppress(OSError):
        found = os.statvfs(path_owners.existing(folder.absolute()))
        return found.f_bavail * found.f_frsize if found.f_favail or not found.f_files else 0
    return None


def is_short(folder: Path) -> bool:
    """Whether there is less than a start needs."""
    found = free(folder)
    return found is not None and found < NEEDED


def sentence(folder: Path) -> str:
    """The sentence: no space, where, and what to do."""
    return (
        f"no room on the disk of {folder} ({_left(folder)}): free some there – old backups and valkey.damaged-* are in "
        "DATA_DIR – and start this again, or set DATA_DIR to a folder with room"
    )


def _left(folder: Path) -> str:
    found = free(folder)
    if found is None:
        return "how much is free is unknown"
    needs = (
        f"; a start needs {NEEDED:,}"
        if found < NEEDED
        else ", so a quota or a limit of the process is at its end"
    )
    return f"{found:,} bytes free{needs}"
