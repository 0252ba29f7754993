"""Becomes another program that dies with the process that started it; run by path, never imported.

Between fork and exec no Python may run in a threaded parent, so this happens in a fresh interpreter:

    python -I -S launch.py PARENT_PID DEATH_SIGNAL USER REACH PROGRAM [ARGUMENT ...]

USER is "uid:gid" or "-" (stay who you are). REACH is "reach" where that user cannot enter the folders on the
way to the program or its data (a checkout in root's home): it then keeps one capability of root, to pass by
file permissions.
"""

import ctypes
import os
import signal
import sys

# <sys/prctl.h> and <linux/capability.h>
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1


def main() -> None:
    parent, death_signal, user, reach, *command = sys.argv[1:]
    if user != "-":
        become(user, keep_reach=reach == "reach")
    die_with(int(parent), int(death_signal))
    os.execv(command[0], command)  # noqa: S606


def become(user: str, keep_reach: bool) -> None:
    """Gives up root for good; with `keep_reach`, all but the right to pass by file permissions (Linux)."""
    uid, gid = map(int, user.split(":"))
    libc = ctypes.CDLL(None, use_errno=True)
    if keep_reach:
        demand(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if keep_reach:
        only = 1 << CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        effective_permitted_inheritable = (ctypes.c_uint32 * 6)(only, only, only, 0, 0, 0)
        demand(libc.capset(header, effective_permitted_inheritable))
        demand(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0))


def die_with(parent: int, death_signal: int) -> None:
    """Asks Linux for `death_signal` at the parent's death; elsewhere leash.py alone watches."""
    if sys.platform == "linux":
        demand(ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0))
    if os.getppid() != parent:  # it died before the request was made
        os.kill(os.getpid(), signal.SIGKILL)


def demand(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise SystemExit(f"cannot prepare the start of {sys.argv[5]}: {os.strerror(number)}")


if __name__ == "__main__":
    main()
