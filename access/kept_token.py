"""Replaces the file in which an installation keeps its token."""

import os
from pathlib import Path


def replace_private(path: Path, text: str) -> None:
    """Puts a line into a file that its owner alone may read, whole or not at all. Raises OSError.

    The owner stays the same: root may run this for servers that run as another account.
    """
    made = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with os.fdopen(
            os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w"
        ) as file:
            file.write(text + "\n")
            file.flush()
            if path.exists() and (owner := path.stat()).st_uid != os.geteuid():
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            os.fsync(file.fileno())
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
