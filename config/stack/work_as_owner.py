"""Work in a folder that another user may own or replace: with that user's rights, never with root's."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from config.stack import accounts, path_owners
from config.stack.capabilities import to_reach
from config.stack.processes import Account, StackError


def working_in(folder: Path) -> AbstractContextManager[None]:
    """Inside the block root acts as the user who controls the folder; as root if that is only root.

    A folder exchanged for a link then leads nowhere that this user could not go. A folder that is still to be made is
    judged by the nearest one above it. Raises StackError where it is root's, but others can exchange it.
    """
    if os.geteuid() != 0:
        return nullcontext()
    there = path_owners.existing(folder)
    try:
        with path_owners.opened(there) as way:
            owner = os.fstat(way.folder)
    except OSError as error:
        raise StackError(f"{there} cannot be opened as a folder: {error.strerror}.") from None
    if owner.st_uid != 0:
        return acting(Account(owner.st_uid, owner.st_gid or owner.st_uid), there)
    if not way.is_roots:
        raise exchangeable(there, way)
    return nullcontext()


@contextmanager
def acting(account: Account | None, folder: Path) -> Iterator[None]:
    """Root with the rights of the account's own servers: to its files, and to pass by folders that it may not enter."""
    if account is None or os.geteuid() != 0:
        yield
        return
    try:
        with accounts.acting_as(account, to_reach(account, path_owners.existing(folder))):
            yield
    except PermissionError as error:
        place = error.filename if isinstance(error.filename, str | Path) else folder
        raise StackError(
            f"{accounts.label(account)} may not use {place}, and root's rights are not used in {folder}, which that "
            "user controls: give it to that user, or set DATA_DIR to another folder."
        ) from None


def exchangeable(folder: Path, way: path_owners.Way) -> StackError:
    """Advice for a folder of root's that another user can replace."""
    who = "everybody" if way.stranger is None else accounts.label(Account(way.stranger, way.stranger))
    way_out = "" if way.stranger is None else f"run chown -R {who} {folder}, or "
    return StackError(
        f"{folder} belongs to root, and {who} can put another folder in its place: {way_out}set DATA_DIR to a folder "
        "that only root can rename."
    )
