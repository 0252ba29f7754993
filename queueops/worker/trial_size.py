"""How many tasks that were lost with a worker are tried together: few at first, more with all that goes well.

A wrong guess costs a lease, in which what was lost waits. So caution may take a part of a lease, and no more: the
number doubles with each tenth of one. And it never grows past what has gone well already, so that a text which kills
its worker is among half as many each time.
"""

import time
from collections.abc import Callable

from django.conf import settings

_DOUBLINGS_A_LEASE = 10
_MOST_DOUBLINGS = 16


class TrialSize:
    """Counts for one process, which forgets it by dying. Where nothing went well during a lease, it begins anew."""

    def __init__(self, first: int, now: Callable[[], float] = time.monotonic) -> None:
        self._first = first
        self._now = now
        self._began = self._noted = float("-inf")
        self._done = 0

    def forget(self) -> None:
        """Begins as a new process does."""
        self._began = self._noted = float("-inf")
        self._done = 0

    def size(self) -> int:
        """How many may be tried together now."""
        lease, now = settings.EMBEDDING_WORKER_TIMEOUT / 1000, self._now()
        self._begin_anew_after(lease, now)
        doublings = min(int((now - self._began) / lease * _DOUBLINGS_A_LEASE), _MOST_DOUBLINGS)
        return min(self._first << doublings, self._first + self._done)

    def note(self, tasks: int) -> None:
        """So many went well: the process lives on."""
        if tasks:
            now = self._now()
            self._begin_anew_after(settings.EMBEDDING_WORKER_TIMEOUT / 1000, now)
            self._done += tasks
            self._noted = now

    def _begin_anew_after(self, lease: float, now: float) -> None:
        if now - self._noted > lease:
            self._began, self._noted, self._done = now, now, 0
