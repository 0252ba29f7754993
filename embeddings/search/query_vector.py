"""The vector of a query: from the cache, or from the provider of the space that will be searched."""

import hashlib
import time

import numpy as np
import structlog
from django.core.cache import cache
from django.db import connection
from redis.exceptions import RedisError

from embeddings import vectors
from embeddings.chunking import chunks_of
from embeddings.models import Space
from embeddings.providers.base import Matrix
from embeddings.providers.registry import provider_of
from embeddings.spaces import spec_and_counter
from embeddings.vectors import WireVector

# somebody waits for the answer: better one by keywords than a late one
DEADLINE_SECONDS = 3.0
_KEEP_SECONDS = 24 * 3600
_AVOID_SECONDS = 5.0

log = structlog.get_logger(__name__)


class _Cache:
    """The shared cache, left alone for a while after it failed: a search must not wait for it."""

    def __init__(self) -> None:
        self._avoided_until = float("-inf")

    def get(self, key: str) -> WireVector | None:
        if time.monotonic() < self._avoided_until:
            return None
        try:
            found: WireVector | None = cache.get(key)
        except (RedisError, OSError) as error:
            self._avoid(error)
            return None
        return found

    def put(self, key: str, vector: WireVector) -> None:
        if time.monotonic() < self._avoided_until:
            return
        try:
            cache.set(key, vector, _KEEP_SECONDS)
        except (RedisError, OSError) as error:
            self._avoid(error)

    def _avoid(self, error: Exception) -> None:
        self._avoided_until = time.monotonic() + _AVOID_SECONDS
        log.warning("query cache does not answer; searching without it", error=type(error).__name__)


_cache = _Cache()


def query_vector(space: Space, query: str) -> WireVector:
    """The vector of a query in a space. Raises ProviderError when the provider does not give one in time."""
    key = cache_key(space, query)
    if (found := _cache.get(key)) is not None:
        return found
    made = vectors.to_wire(_embed(space, query))[0]
    _cache.put(key, made)
    return made


def cache_key(space: Space, query: str) -> str:
    """Where a query's vector is kept."""
    return f"query:{space.pk}:{space.model}:{hashlib.blake2b(query.encode(), digest_size=16).hexdigest()}"


def _embed(space: Space, query: str) -> Matrix:
    """A query longer than the model reads is embedded in pieces whose mean stands for the whole."""
    spec, count = spec_and_counter(space)
    whole = spec.query_prefix + query
    pieces = [whole]
    if not (whole.isascii() and len(whole) <= space.chunk_tokens) and count(whole) > space.chunk_tokens:
        chunks = chunks_of(
            "", query, budget=space.chunk_tokens, overlap=0, count=count, prefix=spec.query_prefix
        )
        pieces = [chunk.text for chunk in chunks]
    if not connection.in_atomic_block:
        connection.close()  # no connection is held while the provider is asked
    matrix = provider_of(space).embed(pieces, DEADLINE_SECONDS)
    return np.mean(matrix, axis=0, keepdims=True, dtype=np.float32)
