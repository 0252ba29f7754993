"""Rings once at a time known beforehand, so that a provider is asked again when it may be, not at the next sweep."""

import threading
import time
from collections.abc import Callable

from queueops import doorbell


class Alarm:
    """One timer a process, set to the earliest time anybody asked for."""

    def __init__(self, ring: Callable[[], object]) -> None:
        self._ring = ring
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._at = float("inf")

    def ring_in(self, seconds: float) -> None:
        """Rings in so many seconds, unless a ring is to come before that."""
        with self._lock:
            at = time.monotonic() + seconds
            if at >= self._at:
                return
            if self._timer:
                self._timer.cancel()
            self._at = at
            self._timer = threading.Timer(seconds, self._go_off, [at])
            self._timer.daemon = True
            self._timer.start()

    def _go_off(self, at: float) -> None:
        with self._lock:
            if at == self._at:
                self._timer, self._at = None, float("inf")
        self._ring()


alarm = Alarm(doorbell.ring)
