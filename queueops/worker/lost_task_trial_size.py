"""The number of tasks lost with a worker that are tried together: few at first, more as they succeed.

A wrong guess costs a lease, during which the lost tasks wait. So caution may cost a part of a lease at most: the number
doubles with each tenth of one. It never exceeds the number that has succeeded already, so that a text which kills its
worker is among half as many each time.
"""

import time
from collections.abc import Callable

from django.conf import settings

_DOUBLINGS_A_LEASE = 10
_MOST_DOUBLINGS = 16


class TrialSize:
    """Counts for one process, in memory. If nothing succeeded for the length of a lease, it starts over."""

    def __init__(self, first: int, now: Callable[[], float] = time.monotonic) -> None:
        self._first = first
        self._now = now
        self._began = self._noted = float("-inf")
        self._done = 0

    def forget(self) -> None:
        """Starts over as a new process does."""
        self._began = self._noted = float("-inf")
        self._done = 0

    def size(self) -> int:
        """The number of tasks that may be tried together now."""
        lease, now = settings.EMBEDDING_WORKER_TIMEOUT / 1000, self._now()
        self._start_over_after(lease, now)
        doublings = min(int((now - self._began) / lease * _DOUBLINGS_A_LEASE), _MOST_DOUBLINGS)
        return min(self._first << doublings, self._first + self._done)

    def note(self, tasks: int) -> None:
        """Counts tasks that succeeded: the process survived them."""
        if tasks:
            now = self._now()
            self._start_over_after(settings.EMBEDDING_WORKER_TIMEOUT / 1000, now)
            self._done += tasks
            self._noted = now

    def _start_over_after(self, lease: float, now: float) -> None:
        if now - self._noted > lease:
            self._began, self._noted, self._done = now, now, 0
