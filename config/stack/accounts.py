"""As whom the embedded servers run: Postgres refuses root, so root's stack runs them as another."""

import os
import pwd
import stat
import sys
from pathlib import Path

from config.stack.processes import Account, StackError

NOBODY = 65534


def server_account(data_dir: Path) -> Account | None:
    """As whom the server of this folder must run; None: as ourselves.

    Root's servers run as the owner of the data, so that a user's stack can be started by root once and by
    its user again; new data goes to `nobody`.
    """
    if os.geteuid() != 0:
        return None
    if data_dir.exists() and (owner := data_dir.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Account(NOBODY, NOBODY)
    return Account(nobody.pw_uid, nobody.pw_gid)


def claim_folder(folder: Path, account: Account | None) -> None:
    """Makes this folder, private to its server; its parents are made if missing but never changed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = folder.lstat()
    if not stat.S_ISDIR(owner.st_mode) or (account is None and owner.st_uid != os.geteuid()):
        raise StackError(
            f"{folder} belongs to another user: run this as that user, or set DATA_DIR to another folder."
        )
    if account and owner.st_uid != account.uid:
        os.chown(folder, account.uid, account.gid)
    folder.chmod(0o700)


def needs_reach(account: Account | None, program: Path, *folders: Path) -> bool:
    """Whether this account cannot get to its program or folders, as `nobody` cannot in root's home."""
    if account is None:
        return False
    ways = [
        *program.resolve().parents,
        *(parent for folder in folders for parent in folder.resolve().parents),
    ]
    open_ways = all(way.stat().st_mode & stat.S_IXOTH for way in ways)
    if open_ways and program.stat().st_mode & stat.S_IXOTH:
        return False
    if sys.platform != "linux":
        raise StackError(
            f"{program} or {folders[0]} lies in a folder that only root may enter, and Postgres "
            "refuses to run as root: start this as a normal user, or move the checkout."
        )
    return True
