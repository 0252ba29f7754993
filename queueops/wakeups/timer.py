"""Sends wake-ups at known times, so that delayed tasks need not wait for the next sweep too."""

import math
import threading
import time
from collections.abc import Callable

from queueops.wakeups import doorbell

# Times are rounded up to this many seconds, so that tasks due at about the same time share one wake-up.
_TICK = 0.1


class WakeupTimer:
    """One timer per process, for all requested times."""

    def __init__(self, ring: Callable[[], object]) -> None:
        self._ring = ring
        self._lock = threading.Lock()
        self._ticks: set[int] = set()
        self._next: int | None = None
        self._timer: threading.Timer | None = None

    def ring_in(self, seconds: float) -> None:
        """Rings in `seconds`, or up to a tenth of a second later."""
        with self._lock:
            self._ticks.add(math.ceil((time.monotonic() + seconds) / _TICK))
            self._wind()

    def _wind(self) -> None:
        """Sets the timer to the earliest time."""
        earliest = min(self._ticks, default=None)
        if earliest == self._next:
            return
        if self._timer:
            self._timer.cancel()
        self._next, self._timer = earliest, None
        if earliest is not None:
            left = max(earliest * _TICK - time.monotonic(), 0.0)
            self._timer = threading.Timer(left, self._go_off, [earliest])
            self._timer.daemon = True
            self._timer.start()

    def _go_off(self, tick: int) -> None:
        with self._lock:
            if tick != self._next:  # an earlier time was requested just now; this one is still to come
                return
            self._ticks.remove(tick)
            self._wind()
        self._ring()


wakeup_timer = WakeupTimer(doorbell.ring)
