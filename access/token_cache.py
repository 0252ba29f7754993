"""Recently identified tokens, so that a burst of calls queries the database once per second.

Each process has its own memory, of good tokens only. A revoked token is refused at once by the process that revoked
it and within SECONDS by all others; the end of a token holds to the moment.
"""

import threading
import time
from typing import Any

SECONDS = 1.0
MOST = 1_000


class Recent:
    """Values by key, each believed until its time; thread-safe, and bounded in number."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: dict[bytes, tuple[Any, float]] = {}

    def get(self, key: bytes) -> Any:
        """The value, or None where there is none or its time is over."""
        value, until = self._kept.get(key, (None, 0.0))
        return value if time.monotonic() < until else None

    def put(self, key: bytes, value: Any, until: float) -> None:
        """Keeps a value until this time of `time.monotonic`."""
        with self._lock:
            if len(self._kept) >= self._most:
                now = time.monotonic()
                self._kept = {known: entry for known, entry in self._kept.items() if now < entry[1]}
            if len(self._kept) < self._most:
                self._kept[key] = (value, until)

    def forget(self) -> None:
        """Asks the database at the next question."""
        with self._lock:
            self._kept = {}


tokens = Recent()
