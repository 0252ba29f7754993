"""Replaces the file in which an installation keeps its token."""

import os
from contextlib import suppress
from pathlib import Path


def replace_private(path: Path, text: str) -> None:
    """Puts a line into a file that its owner alone may read, whole or not at all. Raises OSError.

    The owner stays the same where root runs this for servers that run as another account; any other user can only
    become the owner itself.
    """
    made = path.with_name(f"{path.name}.{os.getpid()}")
    made.unlink(missing_ok=True)
    try:
        with os.fdopen(
            os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w"
        ) as file:
            file.write(text + "\n")
            file.flush()
            _keep_owner(file.fileno(), path)
            os.fsync(file.fileno())
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)


def _keep_owner(file: int, path: Path) -> None:
    """Gives the open file to the owner of the file it replaces, if we are root; links are ignored."""
    with suppress(FileNotFoundError, PermissionError):  # a network's file system may know no root
        owner = path.lstat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            os.fchown(file, owner.st_uid, owner.st_gid)
