"""The proportional share of memory (PSS) of a process and of all below it, read from /proc/PID/smaps_rollup."""

import re
from pathlib import Path
from typing import NamedTuple

from benchmarks.tools.usage import trees

_PROC = Path("/proc")
_LINE = re.compile(r"^(Pss|Pss_Anon): +(\d+) kB$", re.MULTILINE)


class Share(NamedTuple):
    """What one process takes: all, and the part that lies neither in a file nor in memory shared by name."""

    command: str
    pss_mib: float
    anonymous_mib: float


def is_known() -> bool:
    """Whether this system tells it."""
    return (_PROC / "self" / "smaps_rollup").exists()


def of_tree(root: int) -> list[Share]:
    """Of `root` and all processes below it, the largest first; one that ends meanwhile is left out."""
    found = [share for pid in trees([root]) if (share := _of(pid))]
    return sorted(found, key=lambda share: -share.pss_mib)


def _of(pid: int) -> Share | None:
    try:
        rollup = (_PROC / str(pid) / "smaps_rollup").read_text()
        command = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return None
    kib = {name: int(size) for name, size in _LINE.findall(rollup)}
    words = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return Share(words, kib.get("Pss", 0) / 1024, kib.get("Pss_Anon", 0) / 1024)
