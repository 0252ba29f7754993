"""How much memory this machine has for us, and how much of it Postgres' buffers take."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MIB = 1024 * 1024
_LEAST, _MOST = 64 * MIB, 256 * MIB
_SHARE = 16
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def shared_buffers(memory: int | None = None) -> str:
    """Postgres' `shared_buffers`: a sixteenth of the memory, from 64 to 256 MiB.

    The rest of the stack is on the same machine, and the system's cache holds what the buffers do not. A gibibyte of
    empty buffers takes 25 MiB for its bookkeeping, measured.
    """
    wanted = (memory or of_machine(_LIMITS)) // _SHARE
    return f"{max(_LEAST, min(_MOST, wanted)) // MIB}MB"


def of_machine(limits: Iterable[Path]) -> int:
    """The machine's memory in bytes, or the limit of our container where that is lower."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in limits:
        with suppress(OSError, ValueError):  # there is none, or it is "max"
            found = min(found, int(limit.read_text()))
    return found
