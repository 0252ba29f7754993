"""Becomes another program with the fewest rights, which dies with the process that started it.

Between fork and exec no Python may run in a threaded parent, so this is run by path in a fresh interpreter:

    python -I -S launch.py PARENT_PID DEATH_SIGNAL USER CAPABILITIES PROGRAM [ARGUMENT ...]

With DEATH_SIGNAL 0 the program may outlive its parent. USER is "uid:gid", or "-" to stay who we are. CAPABILITIES is
a bit mask of <linux/capability.h>: the only ones that the program keeps. The supervisor imports `become` for itself.
"""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator

# <sys/prctl.h> and <linux/capability.h>
PR_SET_PDEATHSIG = 1
PR_GET_PDEATHSIG = 2
PR_SET_KEEPCAPS = 8
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
MOST_CAPABILITIES = 64
IS_LINUX = sys.platform == "linux"


def main() -> None:
    parent, death_signal, user, capabilities, *command = sys.argv[1:]
    os.umask(0o077)
    try:
        become(user, int(capabilities))
        die_with(int(parent), int(death_signal))
    except OSError as error:
        raise SystemExit(f"cannot prepare the start of {command[0]}: {error.strerror}") from None
    try:
        os.execv(command[0], command)  # noqa: S606
    except OSError as error:
        raise SystemExit(f"{command[0]} cannot be started: {error.strerror}") from None


def become(user: str, capabilities: int) -> None:
    """Drops every right but `capabilities` permanently, root and setuid programs included; raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if user != "-":
        if IS_LINUX:
            forbid_all_but(libc, capabilities)
            demand(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
        uid, gid = map(int, user.split(":"))
        with keeping_death_signal():
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
    if IS_LINUX:
        if os.getuid() != 0:
            keep_only(libc, capabilities)
        demand(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def forbid_all_but(libc: ctypes.CDLL, capabilities: int) -> None:
    """Takes the other capabilities out of the bounding set; a container's root may lack the right to."""
    for number in range(MOST_CAPABILITIES):
        if not capabilities & 1 << number:
            libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)


def keep_only(libc: ctypes.CDLL, capabilities: int) -> None:
    """Drops all other capabilities and passes these on to every program that is started from here."""
    low, high = capabilities & 0xFFFFFFFF, capabilities >> 32
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    effective_permitted_inheritable = (ctypes.c_uint32 * 6)(low, low, low, high, high, high)
    demand(libc.capset(header, effective_permitted_inheritable))
    for number in range(MOST_CAPABILITIES):
        if capabilities & 1 << number:
            demand(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0))


def raise_effective(capabilities: int) -> None:
    """Puts those of our permitted capabilities into effect that a change of the effective user has put out of it."""
    if not IS_LINUX or not capabilities:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then their upper halves
    demand(libc.capget(header, sets))
    sets[0], sets[3] = sets[1] & capabilities, sets[4] & capabilities >> 32
    demand(libc.capset(header, sets))


def die_with(parent: int, death_signal: int) -> None:
    """Asks Linux for `death_signal` at the parent's death; elsewhere kill_switch.py alone watches."""
    if death_signal == 0:
        return
    if IS_LINUX:
        libc = ctypes.CDLL(None, use_errno=True)
        demand(libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0))
    if os.getppid() != parent:  # it died before the request was made
        os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def keeping_death_signal() -> Iterator[None]:
    """The wish of `die_with` lasts through a change of user inside, at which Linux forgets it."""
    if not IS_LINUX:
        yield
        return
    libc, wanted = ctypes.CDLL(None, use_errno=True), ctypes.c_int()
    libc.prctl(PR_GET_PDEATHSIG, ctypes.byref(wanted), 0, 0, 0)
    yield
    libc.prctl(PR_SET_PDEATHSIG, wanted.value, 0, 0, 0)


def demand(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()
