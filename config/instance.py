"""The secrets an installation makes once for itself and keeps in its data folder."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def random_text() -> str:
    """A secret that nobody can guess."""
    return secrets.token_urlsafe(48)


def kept_secret(path: Path, make: Callable[[], str] = random_text) -> str:
    """The secret in this file; made, readable by its owner alone, when there is none yet."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{path.name}.{os.getpid()}")
    made.unlink(missing_ok=True)  # of a process that was killed and had our number
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(make() + "\n")
        give_to_owner(file.fileno(), path.parent)
    try:
        os.link(made, path)  # two processes that start together must agree: the first link wins
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return path.read_text().strip()


def give_to_owner(file: int, folder: Path) -> None:
    """Gives a file or folder that root has just made in this folder, and holds open, to the folder's owner: the stack's
    processes run as that account and read it."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        with suppress(PermissionError):  # a network's file system may know no root
            os.fchown(file, owner.st_uid, owner.st_gid)


def give_path(path: Path) -> None:
    """Does so with a file or folder of this name; a link is left alone."""
    with suppress(OSError):
        made = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            give_to_owner(made, path.parent)
        finally:
            os.close(made)
