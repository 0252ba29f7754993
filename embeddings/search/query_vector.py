"""The vector of a query: from the cache, or from the provider of the space that will be searched."""

import numpy as np

from embeddings.models import Space
from embeddings.providers.base import Matrix
from embeddings.providers.registry import provider_of
from embeddings.recipes import own, spec_and_counter
from embeddings.search.query_cache import QueryCache, key_of
from embeddings.storage import vectors
from embeddings.storage.vectors import WireVector
from embeddings.text.chunking import chunks_of
from lib import database_connection

# a person is waiting: a reply by keywords is better than a late one
DEADLINE_SECONDS = 3.0

_cache = QueryCache()
held = _cache.held


def query_vector(space: Space, query: str) -> WireVector:
    """The vector of a query in a space. Raises ProviderError if the provider does not return one in time."""
    key = cache_key(space, query)
    if (found := _cache.get(key, space.dimensions)) is not None:
        return found
    made = vectors.to_wire(_embed(space, query))[0]
    _cache.put(key, made)
    return made


def cache_key(space: Space, query: str) -> str:
    """The key of a query's vector in Redis."""
    return key_of(space, own(space).fingerprint, query)


def _embed(space: Space, query: str) -> Matrix:
    """A query longer than the model's limit is embedded in pieces; its vector is their mean."""
    spec, count = spec_and_counter(space)
    whole = spec.query_prefix + query
    pieces = [whole]
    if not (whole.isascii() and len(whole) <= space.chunk_tokens) and count(whole) > space.chunk_tokens:
        chunks = chunks_of(
            "", query, budget=space.chunk_tokens, overlap=0, count=count, prefix=spec.query_prefix
        )
        pieces = [chunk.text for chunk in chunks]
    database_connection.release()
    matrix = provider_of(space).embed(pieces, DEADLINE_SECONDS, is_query=True)
    return np.mean(matrix, axis=0, keepdims=True, dtype=np.float32)
