"""The unprivileged account that root's stack runs as: found or made, and how it differs from root's view."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from config.stack.launch import keeping_death_signal, raise_effective
from config.stack.processes import Account, StackError

DEFAULT = "vectorpress"
NOBODY = "nobody"
_ADMIN_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"

OF_ITS_USER = ("HOME", "USER", "LOGNAME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
"""Variables that describe who started us; they must not describe root to the account's processes."""

type Say = Callable[[str], object]


def account_for(data_dir: Path, run_as: str = DEFAULT, say: Say = lambda sentence: None) -> Account | None:
    """The account that the stack on this data folder runs as; None: as ourselves, who are not root.

    The owner of the folder, so that a user's stack can be started by root once and by its user again; where that is
    root or `nobody` (as earlier releases had it), the account named `run_as`, which is created if it is missing.
    Raises StackError.
    """
    if os.geteuid() != 0:
        return None
    if data_dir.exists() and (owner := data_dir.stat()).st_uid not in privileged():
        entry = _entry(owner.st_uid)
        return Account(owner.st_uid, entry.pw_gid if entry else owner.st_gid or owner.st_uid)
    made = _named(run_as, say)
    return Account(made.pw_uid, made.pw_gid)


def privileged() -> frozenset[int]:
    """The users that no stack runs as: root, and `nobody`, which services of all kinds share."""
    try:
        return frozenset({0, pwd.getpwnam(NOBODY).pw_uid})
    except KeyError:
        return frozenset({0})


def name_of(uid: int) -> str:
    """The name of a user; raises StackError for a number without one, which Postgres cannot recognise."""
    if entry := _entry(uid):
        return entry.pw_name
    raise StackError(
        f"User id {uid} has no name on this machine, and Postgres recognises users by name: give it one in "
        "/etc/passwd, or set DATABASE_URL to a server of your own."
    )


def ourselves() -> str:
    """The account of this process, in words."""
    return label(Account(os.geteuid(), os.getegid()))


def label(account: Account) -> str:
    """The account in words."""
    entry = _entry(account.uid)
    return entry.pw_name if entry else f"user {account.uid}"


def environment(account: Account, data_dir: Path) -> Mapping[str, str]:
    """What the account's processes have in place of root's variables OF_ITS_USER; an empty one is to be left out."""
    entry = _entry(account.uid)
    home = Path(entry.pw_dir) if entry else data_dir
    with acting_as(account):
        has_home = os.access(home, os.W_OK, effective_ids=True)
        temporary = os.environ.get("TMPDIR", "")
        if temporary and not os.access(temporary, os.W_OK | os.X_OK, effective_ids=True):
            temporary = ""
    name = label(account)
    own = {"HOME": str(home if has_home else data_dir), "USER": name, "LOGNAME": name, "TMPDIR": temporary}
    return dict.fromkeys(OF_ITS_USER, "") | own


@contextmanager
def acting_as(account: Account, capabilities: int = 0) -> Iterator[None]:
    """Root with this account's rights to files, and with these of its own capabilities; for the whole process."""
    groups, gid = os.getgroups(), os.getegid()
    with keeping_death_signal():
        os.setgroups([])
        os.setegid(account.gid)
        os.seteuid(account.uid)
        try:
            raise_effective(capabilities)
            yield
        finally:
            os.seteuid(0)
            os.setegid(gid)
            os.setgroups(groups)


def _named(name: str, say: Say) -> pwd.struct_passwd:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        entry = _made(name)
        say(f"created the system account {name}: the stack runs as it, not as root (RUN_AS)")
    if entry.pw_uid in privileged():
        raise StackError(f"RUN_AS holds {name!r}; it may hold the name of an unprivileged account.")
    return entry


def _made(name: str) -> pwd.struct_passwd:
    """A system account without home, password and shell."""
    program = shutil.which("useradd", path=_ADMIN_PATH)
    reason = "this machine has no useradd"
    if program:
        shell = shutil.which("nologin", path=_ADMIN_PATH) or "/bin/false"
        flags = [
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir=/nonexistent",
            f"--shell={shell}",
        ]
        made = subprocess.run([program, *flags, "--", name], capture_output=True, text=True, check=False)
        reason = made.stderr.strip() or f"useradd exited with {made.returncode}"
    try:
        return pwd.getpwnam(name)  # two that start together must agree
    except KeyError:
        raise StackError(
            f"The account {name}, which the stack is to run as, cannot be made ({reason}): set RUN_AS to an existing "
            "unprivileged account, or start this as a normal user."
        ) from None


def _entry(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None
