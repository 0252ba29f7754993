"""The secrets an installation makes once for itself and keeps in its data folder."""

import os
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config.stack import accounts, disk_space, path_owners
from config.stack.processes import StackError
from config.stack.work_as_owner import working_in
from lib.regular_files import read_small

_MOST_BYTES = 4_096


def random_text() -> str:
    """A random secret."""
    return secrets.token_urlsafe(48)


def kept_secret(path: Path, make: Callable[[], str] = random_text) -> str:
    """The secret in this file; made, readable by its owner alone, when there is none yet."""
    try:
        with working_in(path.parent):
            return _kept(path, make)
    except StackError as error:
        raise ImproperlyConfigured(str(error)) from None
    except OSError as error:
        if disk_space.is_missing(error):
            raise ImproperlyConfigured(disk_space.sentence(path.parent)) from error
        raise ImproperlyConfigured(
            f"{path} cannot be made: {error.strerror}. Set DATA_DIR to a folder that {accounts.ourselves()} may "
            "write to."
        ) from error


def data_folder(named: Path) -> Path:
    """The real path of the data folder. Raises ImproperlyConfigured where it cannot be a folder, and where root would
    follow a link that somebody else can make lead to any folder of root's."""
    there = path_owners.existing(named.absolute())
    if there.exists() and not there.is_dir():
        raise ImproperlyConfigured(
            f"DATA_DIR is {named}, and {there} is not a folder: set DATA_DIR to a folder, or to one that can be made."
        )
    if os.geteuid() == 0:
        try:
            with path_owners.opened(path_owners.existing(named.absolute())) as way:
                if way.has_strangers_link:
                    raise ImproperlyConfigured(
                        f"DATA_DIR is {named}, and on the way there is a link that another user than root can change: "
                        "set DATA_DIR to the folder that it leads to."
                    )
        except OSError as error:
            raise ImproperlyConfigured(
                f"DATA_DIR is {named}, which cannot be opened as a folder: {error.strerror}."
            ) from error
    return named.resolve()


def _kept(path: Path, make: Callable[[], str]) -> str:
    if found := _read(path):
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # of mode 0600
    made = Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(make() + "\n")
            give_to_owner(file.fileno(), path.parent)
        with suppress(FileExistsError):
            os.link(made, path)  # two processes that start together must agree: the first link wins
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
