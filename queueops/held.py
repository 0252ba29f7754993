"""A value that is read at most once in a while, however many threads ask for it at the same time."""

import threading
import time
from collections.abc import Callable


class NotInTimeError(Exception):
    """The value is being read, and has been for too long to wait for."""


class Held[T]:
    """`read()` is held for `seconds`. Threads that ask while it is being read wait for it, until it has taken
    `patience` seconds; then each gets NotInTimeError. What `read()` raises goes to the thread that called it."""

    def __init__(self, read: Callable[[], T], seconds: float, patience: float) -> None:
        self._read = read
        self._seconds = seconds
        self._patience = patience
        self._changed = threading.Condition()
        self._value: tuple[T, float] | None = None
        self._begun: float | None = None

    def get(self) -> T:
        """The value, read by this thread where no other does."""
        with self._changed:
            asked = time.monotonic()
            while self._value is None or self._value[1] < asked - self._seconds:
                if self._begun is None:
                    self._begun = time.monotonic()
                    break
                if not self._changed.wait(self._begun + self._patience - time.monotonic()):
                    raise NotInTimeError
            else:
                return self._value[0]
        return self._read_now()

    def forget(self) -> None:
        """Reads at the next question."""
        with self._changed:
            self._value = None

    def _read_now(self) -> T:
        try:
            value = self._read()
            with self._changed:
                self._value = value, time.monotonic()
            return value
        finally:
            with self._changed:
                self._begun = None
                self._changed.notify_all()
