"""Caches a value that is read often and changes seldom."""

import threading
import time
from collections.abc import Callable

_PATIENCE_SECONDS = 0.25


class TimedCache[T]:
    """The value of `ask()`, cached for `seconds`. Any thread may use it. One reads at a time, and the others wait for
    it; if that takes long (a lock in the database) and there is an older value, they use that after 0.25 s.
    What `ask()` raises is not remembered."""

    def __init__(self, ask: Callable[[], T], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._asking = threading.Lock()
        self._known: tuple[T, float] | None = None
        self._forgotten = 0

    def get(self) -> T:
        """The value, at most `seconds` old, with the exception above. Raises the errors of `ask()`."""
        known = self._known
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        is_alone = self._asking.acquire(timeout=_PATIENCE_SECONDS)
        try:
            known = self._known
            if known is not None and (time.monotonic() < known[1] or not is_alone):
                return known[0]
            return self._asked()
        finally:
            if is_alone:
                self._asking.release()

    def keep(self, seconds: float) -> T | None:
        """Keeps the last value for so long from now on, however old, and returns it; None without one."""
        if (known := self._known) is None:
            return None
        self._known = (known[0], time.monotonic() + seconds)
        return known[0]

    def forget(self) -> None:
        """Asks at the next question, as after a change by this process."""
        self._forgotten += 1
        self._known = None

    def _asked(self) -> T:
        forgotten = self._forgotten
        answer = self._ask()
        if forgotten == self._forgotten:  # else what was read may be older than the change
            self._known = (answer, time.monotonic() + self._seconds)
        return answer
