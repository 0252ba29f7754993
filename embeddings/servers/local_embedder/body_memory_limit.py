"""Bounds the bytes of all large bodies together."""

import contextlib
import threading
from collections.abc import Iterator


class Room:
    """`most_bytes` for bodies over `small` bytes; smaller ones are bounded by the number of connections."""

    def __init__(self, most_bytes: int, small: int) -> None:
        self._free = most_bytes
        self._small = small
        self._changed = threading.Lock()

    @contextlib.contextmanager
    def of(self, size: int) -> Iterator[bool]:
        """Holds `size` bytes within the block; yields False if they are not free."""
        wanted = size if size > self._small else 0
        with self._changed:
            is_free = wanted <= self._free
            held = wanted if is_free else 0
            self._free -= held
        try:
            yield is_free
        finally:
            with self._changed:
                self._free += held
