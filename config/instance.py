"""The secrets an installation makes once for itself and keeps in its data folder."""

import os
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from lib.regular_files import read_small

_MOST_BYTES = 4_096


def random_text() -> str:
    """A secret that nobody can guess."""
    return secrets.token_urlsafe(48)


def kept_secret(path: Path, make: Callable[[], str] = random_text) -> str:
    """The secret in this file; made, readable by its owner alone, when there is none yet."""
    if found := _read(path):
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # of mode 0600
    made = Path(name)
    with os.fdopen(handle, "w") as file:
        file.write(make() + "\n")
        give_to_owner(file.fileno(), path.parent)
    try:
        os.link(made, path)  # two processes that start together must agree: the first link wins
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return _read(path) or ""


def _read(path: Path) -> str | None:
    """The secret, None where there is no such file. A link to it is fine, as orchestrators mount secrets; a FIFO or an
    endless file stops the start with a sentence, instead of hanging it."""
    try:
        return read_small(path, _MOST_BYTES).decode().strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise ImproperlyConfigured(
            f"{path} cannot be read: {reason}. It must be a file with a secret on one line; remove it, and a new one "
            "is made."
        ) from error


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
