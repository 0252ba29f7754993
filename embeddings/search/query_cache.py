"""Query vectors in Redis: raw bytes, checked when they are read, so that a forged entry is at worst a miss; and the
last ones in this process, so that a query that is asked again costs no round trip."""

import hashlib
import threading
import time
from collections import OrderedDict

import structlog
from django.conf import settings
from redis.exceptions import RedisError, ResponseError

from embeddings.models import Space
from embeddings.storage import vectors
from embeddings.storage.vectors import WireVector
from lib.redis_client import fast_client

_KEEP_SECONDS = 24 * 3600
_AVOID_SECONDS = 5.0
_HELD_SECONDS = 600.0
_HELD_BYTES = 4 * 1024 * 1024

log = structlog.get_logger(__name__)


def key_of(space: Space, fingerprint: str, query: str) -> str:
    """The key of a query's vector. The fingerprint covers everything that the vector depends on beside the query, so
    that a process or space of another recipe never reads it."""
    digest = hashlib.blake2b(
        f"{fingerprint} {query}".encode("utf-8", "surrogatepass"), digest_size=16
    ).hexdigest()
    return f"vectorpress:query:{space.pk}:{digest}"


class HeldVectors:
    """The vectors that this process used last, each for ten minutes at most; any thread may use them. They cannot be
    out of date: a key covers all that its vector depends on."""

    def __init__(self, most_bytes: int = _HELD_BYTES, seconds: float = _HELD_SECONDS) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[WireVector, float]] = OrderedDict()
        self._bytes_left = most_bytes
        self._seconds = seconds

    def get(self, key: str) -> WireVector | None:
        """The vector under a key; None if it is not held, or for too long."""
        with self._lock:
            vector, until = self._held.get(key, (None, 0.0))
            if vector is not None and time.monotonic() < until:
                self._held.move_to_end(key)
                return vector
            return None

    def put(self, key: str, vector: WireVector) -> None:
        """Holds a vector; those used longest ago make room."""
        with self._lock:
            self._drop(key)
            self._held[key] = vector, time.monotonic() + self._seconds
            self._bytes_left -= len(vector)
            while self._bytes_left < 0:
                self._drop(next(iter(self._held)))

    def forget(self) -> None:
        """Holds none, as a new process."""
        with self._lock:
            for key in list(self._held):
                self._drop(key)

    def _drop(self, key: str) -> None:
        if key in self._held:
            self._bytes_left += len(self._held.pop(key)[0])


class QueryCache:
    """The cache; Redis is not used for a while after it failed: a search must not wait for it."""

    def __init__(self) -> None:
        self.held = HeldVectors()
        self._avoided_until = float("-inf")

    def get(self, key: str, dimensions: int) -> WireVector | None:
        """The vector under a key, or None for a miss; an entry of any other type, length or content is a miss."""
        if (held := self.held.get(key)) is not None:
            return held
        if (found := self._read(key, dimensions)) is not None:
            self.held.put(key, found)
        return found

    def _read(self, key: str, dimensions: int) -> WireVector | None:
        if time.monotonic() < self._avoided_until:
            return None
        try:
            # one byte more than a vector has, so that a longer entry is noticed and never loaded whole
            found = fast_client(settings.REDIS_URL).getrange(key, 0, vectors.wire_length(dimensions))
        except ResponseError:  # the entry is a list, a set, …
            return None
        except (RedisError, OSError) as error:
            self._avoid(error)
            return None
        return found if isinstance(found, bytes) and vectors.is_wire(found, dimensions) else None

    def put(self, key: str, vector: WireVector) -> None:
        """Keeps a vector for a day, in place of whatever the key holds."""
        self.held.put(key, vector)
        if time.monotonic() < self._avoided_until:
            return
        try:
            fast_client(settings.REDIS_URL).set(key, vector, ex=_KEEP_SECONDS)
        except (RedisError, OSError) as error:
            self._avoid(error)

    def _avoid(self, error: Exception) -> None:
        self._avoided_until = time.monotonic() + _AVOID_SECONDS
        log.warning("query cache unavailable; searching without it", error=type(error).__name__)
