"""Memory and processor time of running processes, read from /proc; None where there is no such thing."""

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class Usage:
    """Samples process trees while it is entered. `peak_mib` is the most that all of them held together,
    `seconds` the processor time they took."""

    def __init__(self, *roots: int | None, every: float = 0.2) -> None:
        self._roots = [pid for pid in roots if pid]
        self._every = every
        self._peak = 0
        self._ticks: dict[int, int] = {}
        self._first: dict[int, int] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._sample()
        self._first = dict(self._ticks)
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()
        self._sample()

    @property
    def peak_mib(self) -> int | None:
        return round(self._peak / 2**20) if self._peak else None

    @property
    def seconds(self) -> float | None:
        if not self._ticks:
            return None
        return round(sum(now - self._first.get(pid, 0) for pid, now in self._ticks.items()) / _TICKS, 2)

    def _run(self) -> None:
        while not self._done.wait(self._every):
            self._sample()

    def _sample(self) -> None:
        seen = trees(self._roots)
        self._peak = max(self._peak, sum(rss for rss, _ in seen.values()))
        self._ticks |= {pid: ticks for pid, (_, ticks) in seen.items()}


def rss_mib(pid: int) -> float | None:
    """Resident memory of one process, its children left out."""
    read = _stat(pid)
    return read[1] / 2**20 if read else None


def tree_mib(roots: list[int]) -> float:
    """Resident memory of these processes and all below them."""
    return sum(rss for rss, _ in trees(roots).values()) / 2**20


def trees(roots: list[int]) -> dict[int, tuple[int, int]]:
    """Pid → (bytes resident, clock ticks) of the roots and all below them."""
    if not _PROC.is_dir():
        return {}
    stats = {int(entry.name): _stat(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdecimal()}
    wanted = set(roots)
    found: dict[int, tuple[int, int]] = {}
    while wanted:
        found |= {pid: (read[1], read[2]) for pid in wanted if (read := stats.get(pid))}
        wanted = {pid for pid, read in stats.items() if read and read[0] in wanted} - found.keys()
    return found


def _stat(pid: int) -> tuple[int, int, int] | None:
    """(parent, bytes resident, clock ticks) as proc(5) has them; None for a process that is gone."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), int(fields[21]) * _PAGE, int(fields[11]) + int(fields[12])
