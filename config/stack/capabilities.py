"""The single rights of root that a member keeps (Linux), where it could not run without them."""

import os
import sys
from functools import cache
from pathlib import Path

from config.stack.accounts import acting_as
from config.stack.processes import Account, StackError

# <linux/capability.h>
DAC_OVERRIDE = 1 << 1
DAC_READ_SEARCH = 1 << 2
NET_BIND_SERVICE = 1 << 10
_FIRST_FREE_PORT = 1024


@cache  # asked again when a member is started again, by a supervisor that is not root any more
def closed_folder(account: Account, *paths: Path) -> Path | None:
    """The first folder on the way to one of these that root may enter and this account may not."""
    for path in (path.resolve() for path in paths):
        with acting_as(account):
            if not os.access(path, os.R_OK, effective_ids=True):
                ways = [*reversed(path.parents), path]
                return next((way for way in ways if not os.access(way, os.X_OK, effective_ids=True)), path)
    return None


def to_reach(account: Account | None, *paths: Path) -> int:
    """What a member needs to read these: nothing, or the right to pass by permissions, as in root's home.

    The right to read and search; a container whose root has no such right has only the one to write too.
    """
    if account is None or (closed := closed_folder(account, *paths)) is None:
        return 0
    if sys.platform != "linux":
        raise StackError(
            f"Only root may enter {closed}, and nothing of this runs as root: start it as a normal user, or move "
            "what lies in that folder."
        )
    return DAC_READ_SEARCH if held() & DAC_READ_SEARCH else DAC_OVERRIDE


def to_listen(port: int) -> int:
    """What a web server needs for a port that is kept for root, as far as we have it."""
    return held() & NET_BIND_SERVICE if port < _FIRST_FREE_PORT else 0


@cache  # until the supervisor gives them up
def held() -> int:
    """The capabilities that we may pass on; none outside Linux."""
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapPrm")), 0)
