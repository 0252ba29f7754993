"""A process's circuit breaker for storing vectors: while the server refuses them, one write at a time retries, at
growing intervals. In memory, since the database may accept no write at all."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from queueops.base.database_refusals import Refusal

# A short shortage ends soon; a full disk is tried six times per minute.
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0
_LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class Refused:
    """Why vectors are refused, and for how many seconds."""

    refusal: Refusal
    seconds: float


class StorageBrake:
    """Safe for any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._refusal: Refusal | None = None
        self._since = self._retry_at = 0.0
        self._turns = 0

    @property
    def is_on(self) -> bool:
        return self._refusal is not None

    @property
    def now(self) -> Refused | None:
        """The refusal in force; None while vectors are accepted."""
        with self._lock:
            return Refused(self._refusal, self._clock() - self._since) if self._refusal else None

    def refused(self, refusal: Refusal) -> bool:
        """Notes a refused write; True if it is the first, or its reason differs from the one before."""
        with self._lock:
            before, self._refusal = self._refusal, refusal
            if before is None:
                self._since, self._turns = self._clock(), 1
                self._retry_at = self._since + _interval(1)
            return before is None or before.sqlstate != refusal.sqlstate

    def accepted(self) -> bool:
        """Notes that vectors were stored, which closes the breaker; True if it was open."""
        with self._lock:
            before, self._refusal = self._refusal, None
            return before is not None

    def ask(self) -> float:
        """Seconds until the next attempt; 0.0: write now. While writes are refused only one caller gets 0.0 per
        interval, and the intervals grow."""
        if not self.is_on:
            return 0.0
        with self._lock:
            now = self._clock()
            if self._refusal is None:
                return 0.0
            if now < self._retry_at:
                return self._retry_at - now
            self._turns += 1
            self._retry_at = now + _interval(self._turns)
            return 0.0

    @property
    def left(self) -> float:
        """Seconds until the next attempt of any caller; 0.0 while vectors are accepted."""
        with self._lock:
            return max(self._retry_at - self._clock(), 0.0) if self._refusal else 0.0

    def await_turn(self, until: float, rest: Callable[[float], bool]) -> bool:
        """Waits for its turn to write; False if the moment `until` comes first, or `rest` returns False."""
        while wait := self.ask():
            left = until - self._clock()
            if left <= 0 or not rest(min(wait, left, _LOOK_SECONDS)):
                return False
        return True


def _interval(turn: int) -> float:
    return min(FIRST_WAIT * 2.0 ** min(turn - 1, 30), LONGEST_WAIT)
