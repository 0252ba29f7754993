"""Turns a provider's vectors into a matrix, and refuses invalid ones."""

import binascii
from typing import Any

import numpy as np

from embeddings.providers.base import Matrix
from embeddings.providers.errors import ErrorClass, ProviderError


def _refuse(why: str) -> ProviderError:
    return ProviderError(ErrorClass.TRANSIENT, f"the provider's reply is unusable: {why}")


# A float written in full with comma and white space; the overhead per vector; the overhead per reply.
_NUMBER_BYTES, _ITEM_BYTES, _FRAME_BYTES = 32, 512, 64 * 1024


def most_bytes(count: int, dimensions: int) -> int:
    """Maximum bytes of a reply with so many vectors, in any notation."""
    return count * (dimensions * _NUMBER_BYTES + _ITEM_BYTES) + _FRAME_BYTES


def in_order(items: Any, count: int) -> list[Any]:
    """The embeddings of an OpenAI reply's `data`, by their `index`. Raises ProviderError unless each of 0..count-1
    occurs exactly once."""
    if not isinstance(items, list) or len(items) != count:
        raise _refuse(f"{len(items) if isinstance(items, list) else 'no'} vectors for {count} texts")
    found: list[Any] = [None] * count
    for position, item in enumerate(items):
        index = item.get("index", position) if isinstance(item, dict) else None
        if type(index) is not int or not 0 <= index < count or found[index] is not None:
            raise _refuse("its indexes are not those of the texts")
        found[index] = item.get("embedding")
    return found


def matrix_of(vectors: list[Any], dimensions: int) -> Matrix:
    """base64 strings (little-endian float32) or lists of numbers → a checked (n, dimensions) matrix.

    Raises ProviderError for another width, a value that is not finite, or a vector of zeros.
    """
    if all(isinstance(vector, str) for vector in vectors):
        matrix = _from_base64(vectors, dimensions)
    else:
        matrix = _from_lists(vectors, dimensions)
    if not np.isfinite(matrix).all():
        raise _refuse("a value is not a finite number")
    if not matrix.any(axis=1).all():
        raise _refuse("a vector is all zeros")
    return matrix


def _from_base64(vectors: list[str], dimensions: int) -> Matrix:
    try:
        raw = [binascii.a2b_base64(vector) for vector in vectors]
    except (binascii.Error, ValueError) as error:
        raise _refuse("a vector is not valid base64") from error
    if any(len(vector) != 4 * dimensions for vector in raw):
        raise _refuse(f"a vector is not {dimensions} wide")
    return (
        np.frombuffer(b"".join(raw), dtype="<f4").reshape(len(raw), dimensions).astype(np.float32, copy=False)
    )


def _from_lists(vectors: list[Any], dimensions: int) -> Matrix:
    if any(not isinstance(vector, list) or len(vector) != dimensions for vector in vectors):
        raise _refuse(f"a vector is not {dimensions} wide")
    try:
        with np.errstate(over="ignore"):
            return np.array(vectors, dtype=np.float32).reshape(len(vectors), dimensions)
    except (ValueError, TypeError) as error:
        raise _refuse("a vector contains a value that is not a number") from error
