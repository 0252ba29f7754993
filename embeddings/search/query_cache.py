"""Query vectors in Redis: raw bytes, checked when they are read, so that a forged entry is at worst a miss."""

import hashlib
import time

import structlog
from django.conf import settings
from redis.exceptions import RedisError, ResponseError

from embeddings.models import Space
from embeddings.storage import vectors
from embeddings.storage.vectors import WireVector
from lib.redis_client import fast_client

_KEEP_SECONDS = 24 * 3600
_AVOID_SECONDS = 5.0

log = structlog.get_logger(__name__)


def key_of(space: Space, fingerprint: str, query: str) -> str:
    """The key of a query's vector. The fingerprint covers everything that the vector depends on beside the query, so
    that a process or space of another recipe never reads it."""
    digest = hashlib.blake2b(
        f"{fingerprint} {query}".encode("utf-8", "surrogatepass"), digest_size=16
    ).hexdigest()
    return f"vectorpress:query:{space.pk}:{digest}"


class QueryCache:
    """The cache; it is not used for a while after it failed: a search must not wait for it."""

    def __init__(self) -> None:
        self._avoided_until = float("-inf")

    def get(self, key: str, dimensions: int) -> WireVector | None:
        """The vector under a key, or None for a miss; an entry of any other type, length or content is a miss."""
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
        if time.monotonic() < self._avoided_until:
            return
        try:
            fast_client(settings.REDIS_URL).set(key, vector, ex=_KEEP_SECONDS)
        except (RedisError, OSError) as error:
            self._avoid(error)

    def _avoid(self, error: Exception) -> None:
        self._avoided_until = time.monotonic() + _AVOID_SECONDS
        log.warning("query cache unavailable; searching without it", error=type(error).__name__)
