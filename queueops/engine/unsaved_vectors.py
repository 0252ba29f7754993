"""Computed vectors that could not be stored: kept in this process, within a size limit, for the next attempt."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from embeddings.storage.vectors import WireVector

# 40,000 vectors of 384 numbers
_MOST_BYTES = 64 << 20


class UnsavedVectors:
    """Vectors by space and text hash; the oldest are dropped first."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[int, bytes], WireVector] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, space_id: int, by_hash: Mapping[bytes, WireVector]) -> None:
        """Keeps these vectors until they are taken or displaced by newer ones."""
        with self._lock:
            for text_hash, vector in by_hash.items():
                self._bytes += len(vector) - len(self._kept.pop((space_id, text_hash), b""))
                self._kept[space_id, text_hash] = vector
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._kept.popitem(last=False)[1])

    def take(self, space_id: int, hashes: Iterable[bytes]) -> dict[bytes, WireVector]:
        """Removes and returns the kept vectors of these texts."""
        if not self._kept:
            return {}
        with self._lock:
            found = {h: vector for h in hashes if (vector := self._kept.pop((space_id, h), None))}
            self._bytes -= sum(map(len, found.values()))
            return found

    def forget(self) -> None:
        """Drops all of them."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0


unsaved = UnsavedVectors()
