"""A value that is read at most once per interval, however many threads need it at the same time."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


class ReadingTimeout(Exception):
    """The value is being read, and has been for too long to wait for."""


class SharedValue[T]:
    """`read()` is kept for `seconds`. It runs in a separate thread, so that a hanging read blocks no caller:
    a caller waits for it until it has taken `patience` seconds, and then gets ReadingTimeout. What `read()` raises
    goes to all who wait for it."""

    def __init__(self, read: Callable[[], T], seconds: float, patience: float) -> None:
        self._read = read
        self._seconds = seconds
        self._patience = patience
        self._changed = threading.Condition()
        self._value: tuple[T, float] | None = None
        self._reading: _Reading | None = None

    def get(self) -> T:
        """The value, at most `seconds` old at the time of the call."""
        with self._changed:
            asked = time.monotonic()
            while self._value is None or self._value[1] < asked - self._seconds:
                reading = self._reading = self._reading or self._begin()
                self._wait_for(reading)
                if reading.error is not None:
                    raise reading.error
            return self._value[0]

    def forget(self) -> None:
        """Reads at the next question."""
        with self._changed:
            self._value = None

    def _wait_for(self, reading: "_Reading") -> None:
        ends = reading.began + self._patience
        if not self._changed.wait_for(lambda: reading.is_over, ends - time.monotonic()):
            raise ReadingTimeout

    def _begin(self) -> "_Reading":
        reading = _Reading(time.monotonic())
        threading.Thread(target=self._run, args=[reading], name="held", daemon=True).start()
        return reading

    def _run(self, reading: "_Reading") -> None:
        try:
            value = self._read()
        except Exception as error:
            self._end(reading, error)
        else:
            self._end(reading, None, (value, time.monotonic()))

    def _end(
        self, reading: "_Reading", error: Exception | None, value: tuple[T, float] | None = None
    ) -> None:
        with self._changed:
            reading.is_over, reading.error = True, error
            self._value, self._reading = value or self._value, None
            self._changed.notify_all()


@dataclass
class _Reading:
    began: float
    is_over: bool = False
    error: Exception | None = None
