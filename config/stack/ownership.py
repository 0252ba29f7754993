"""Ownership of the data folder and what is in it, changed by descriptor: no name can be exchanged meanwhile."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from config.stack import path_owners
from config.stack.accounts import label, privileged
from config.stack.processes import Account, StackError
from config.stack.work_as_owner import acting, exchangeable

OURS = (
    *("postgres", "postgres.new", "valkey", "run", "backups"),
    *("secret_key", "auth_token", "embedder_secret", "admin_login", "first_import", "stack.lock", "reserve"),
)
"""What Vectorpress keeps in a data folder; nothing else in it changes hands."""
_REPLACEABLE = frozenset({"valkey"})
"""Not worth a start that fails: where it is another's, its server sets it aside."""
_SHARED = (
    *(
        "/",
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/home",
        "/lib",
        "/media",
        "/mnt",
        "/opt",
        "/proc",
        "/root",
        "/run",
    ),
    *("/sbin", "/srv", "/sys", "/tmp", "/usr", "/var", "/var/lib", "/var/tmp"),
)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_OPENED = {errno.ELOOP, errno.ENXIO, errno.ENOENT}  # a link, a socket, one that is gone


def claim_folder(folder: Path, account: Account | None) -> None:
    """Makes this folder, private to its server; its parents are made if missing but never changed.

    Root creates it and gives it away only in a folder of its own that no other user can replace; in any other it works
    with the account's rights. Raises StackError for a folder of another user, a link, or a parent in which anybody may
    exchange it.
    """
    with rights_in(folder.parent, account):
        _claim(folder, account)


def rights_in(folder: Path, account: Account | None) -> AbstractContextManager[None]:
    """Root's rights in a folder that is root's alone, and the account's rights in any other."""
    return nullcontext() if _is_roots(path_owners.existing(folder)) else acting(account, folder)


def _is_roots(folder: Path) -> bool:
    """Whether only root can replace this folder or its contents."""
    try:
        with path_owners.opened(folder) as way:
            found = os.fstat(way.folder)
            return way.is_roots and found.st_uid == 0 and not path_owners.is_open(found)
    except OSError:
        return False


def _claim(folder: Path, account: Account | None) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _opened(folder.parent, None) as parent:
            if account and os.fstat(parent).st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH:
                raise StackError(
                    f"{folder.parent} can be changed by everybody: set DATA_DIR to another folder."
                )
            with suppress(FileExistsError):
                os.mkdir(folder.name, 0o700, dir_fd=parent)
            _make_private(folder, parent, account)
    except PermissionError as error:
        raise StackError(f"{folder} cannot be made or opened: {error.strerror}. Set DATA_DIR.") from None


def _make_private(folder: Path, parent: int, account: Account | None) -> None:
    with _opened(folder, parent) as opened:
        owner = os.fstat(opened).st_uid
        if owner not in ({account.uid, os.geteuid()} if account else {os.geteuid()}):
            raise _foreign(folder)
        if account and owner != account.uid:
            os.fchown(opened, account.uid, account.gid)
        os.fchmod(opened, 0o700)


def hand_over(data_dir: Path, account: Account, code: tuple[Path, ...]) -> None:
    """Gives the account the data folder and what Vectorpress keeps in it, which root or `nobody` had before.

    No owner is changed if another user can replace the folder: there the account must have everything already.
    The folder itself comes last, so that a start that was cut off is repeated. `code` must lie outside of it. Raises
    StackError where the folder serves other purposes or holds another user's files.
    """
    with path_owners.opened(data_dir) as way:
        top, known = way.folder, os.fstat(way.folder)
        if known.st_uid != account.uid and (_is_shared(known) or _holds(data_dir, code)):
            raise StackError(
                f"DATA_DIR is {data_dir}, which serves other purposes, and {label(account)} would own it: "
                "set DATA_DIR to a folder of its own."
            )
        if not way.is_roots:
            _demand_given(data_dir, way, account)
            return
        if known.st_uid not in {account.uid, *privileged()}:
            raise _foreign(data_dir)
        if known.st_uid != account.uid:
            os.fchmod(top, stat.S_IMODE(known.st_mode) & ~0o022)
        for name in OURS:
            with suppress(StackError) if name in _REPLACEABLE else nullcontext():
                _give_tree(data_dir / name, top, account)
        if known.st_uid != account.uid:
            _give(top, account, data_dir)


def _demand_given(data_dir: Path, way: path_owners.Way, account: Account) -> None:
    if os.fstat(way.folder).st_uid != account.uid:
        raise exchangeable(data_dir, way)
    for name in (name for name in OURS if name not in _REPLACEABLE):
        with suppress(FileNotFoundError):
            if os.stat(name, dir_fd=way.folder, follow_symlinks=False).st_uid != account.uid:
                raise _foreign(data_dir / name)


def _is_shared(folder: os.stat_result) -> bool:
    """Whether it is a folder of the machine's, by whatever name."""
    for name in _SHARED:
        with suppress(OSError):
            if os.path.samestat(Path(name).stat(), folder):
                return True
    return False


def _holds(folder: Path, files: tuple[Path, ...]) -> bool:
    return any(file.resolve().is_relative_to(folder.resolve()) for file in files)


def _give_tree(path: Path, parent: int, account: Account) -> None:
    """A file, or a folder with everything in it and then itself; nothing where the account has it already."""
    try:
        found = os.stat(path.name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if found.st_uid == account.uid:
        return
    if stat.S_ISDIR(found.st_mode):
        for where, _, files, folder in os.fwalk(path.name, topdown=False, dir_fd=parent):
            for name in files:
                _give_file(name, folder, account, path.parent / where / name)
            _give(folder, account, path.parent / where)
    else:
        _give_file(path.name, parent, account, path)


def _give_file(name: str, folder: int, account: Account, path: Path) -> None:
    try:
        opened = os.open(name, _FILE, dir_fd=folder)
    except OSError as error:
        if error.errno in _NOT_OPENED:
            return
        raise
    try:
        _give(opened, account, path)
    finally:
        os.close(opened)


def _give(opened: int, account: Account, path: Path) -> None:
    found = os.fstat(opened)
    if found.st_uid == account.uid:
        return
    if found.st_uid not in privileged():
        raise _foreign(path)
    if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        raise StackError(
            f"{path} has a second name elsewhere, which would change hands too: remove one of them."
        )
    os.fchown(opened, account.uid, account.gid)


@contextmanager
def _opened(folder: Path, parent: int | None) -> Iterator[int]:
    flags = _FOLDER if parent is not None else _FOLDER & ~os.O_NOFOLLOW
    try:
        opened = os.open(folder.name if parent is not None else folder, flags, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise StackError(f"{folder} is a link or a file: a folder was expected. Move it away.") from None
        raise
    try:
        yield opened
    finally:
        os.close(opened)


def _foreign(path: Path) -> StackError:
    return StackError(
        f"{path} belongs to another user: run this as that user, or set DATA_DIR to another folder."
    )
