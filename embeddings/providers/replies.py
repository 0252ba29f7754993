"""Turns a provider's vectors into a matrix, and refuses invalid ones."""

import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from embeddings.providers import refusals
from embeddings.providers.base import Matrix
from embeddings.providers.errors import ErrorClass, ProviderError, WrongWidthError


def _refuse(why: str) -> ProviderError:
    return ProviderError(ErrorClass.TRANSIENT, f"the provider's reply is unusable: {why}")


# A float written in full with comma and white space; the overhead per vector; the overhead per reply.
_INDEX_DIGITS, _WIDEST = 8, 16_000
_NUMBER_BYTES, _ITEM_BYTES, _FRAME_BYTES = 32, 512, 64 * 1024


def most_bytes(count: int, dimensions: int) -> int:
    """Maximum bytes of a reply with so many vectors, in any notation. One vector may have any width, so that a wrong
    one is read and named."""
    vectors = count * (dimensions * _NUMBER_BYTES + _ITEM_BYTES)
    return max(vectors, _WIDEST * _NUMBER_BYTES) + _FRAME_BYTES


def vectors_in(reply: Any, count: int, where: str) -> list[Any]:
    """The vectors of a reply in OpenAI's protocol, in the order of the texts, in whichever of its known forms.

    Raises ProviderError: for a reply with an error in place of vectors as for that error's own status.
    """
    items = reply
    if isinstance(reply, dict):
        items = reply.get("data", reply.get("embeddings"))
        if items is None and "embedding" in reply:
            items = [reply]
        if not items and reply.get("error"):
            raise _error_in(reply["error"], where)
    return in_order(items, count)


def _error_in(error: Any, where: str) -> ProviderError:
    code = error.get("code", error.get("status")) if isinstance(error, dict) else None
    if type(code) is int and 400 <= code <= 599:
        return refusals.error_of(code, None, orjson.dumps(error), where)
    return ProviderError(
        ErrorClass.TRANSIENT,
        f"{where} returned 200 with an error in place of vectors: check the address (most end in /v1) and the "
        "model's name",
        status=200,
    )


def in_order(items: Any, count: int) -> list[Any]:
    """The embeddings of an OpenAI reply's `data`, by their `index`; without an index, by their place. Raises
    ProviderError unless each of 0..count-1 occurs exactly once."""
    if not isinstance(items, list) or len(items) != count:
        raise _refuse(f"{len(items) if isinstance(items, list) else 'no'} vectors for {count} texts")
    if (vectors := _in_plain_order(items)) is not None:
        return vectors
    found: list[Any] = [None] * count
    for position, item in enumerate(items):
        index = _index_of(item, position)
        if not 0 <= index < count or found[index] is not None:
            raise _refuse("its indexes are not those of the texts")
        found[index] = _flat(item.get("embedding") if isinstance(item, dict) else _listed(item))
    return found


def _in_plain_order(items: list[Any]) -> list[Any] | None:
    """What almost every server sends, read without a look at each item: objects in order. None for anything else."""
    try:
        indexes, vectors = [item["index"] for item in items], [item["embedding"] for item in items]
    except (TypeError, KeyError):
        return None
    is_plain = set(map(type, indexes)) == {int} and set(map(type, vectors)) == {str}
    return vectors if is_plain and indexes == list(range(len(items))) else None


def _index_of(item: Any, position: int) -> int:
    """Where its vector belongs; -1 for an index that is not a whole number."""
    index = item.get("index") if isinstance(item, dict) else None
    if index is None:
        return position
    if isinstance(index, str):
        return int(index) if index.isdecimal() and len(index) < _INDEX_DIGITS else -1
    if isinstance(index, float):
        return int(index) if index.is_integer() else -1
    return index if type(index) is int else -1


def _listed(item: Any) -> list[Any]:
    if not isinstance(item, list):
        raise _refuse("an item is neither an object nor a list of numbers")
    return item


def _flat(vector: Any) -> Any:
    """The vector, also if it is the only one of a list."""
    if isinstance(vector, list) and vector and isinstance(vector[0], list):
        if len(vector) > 1:
            raise _refuse("it has several vectors for one text: switch pooling on at the server")
        return vector[0]
    return vector


def matrix_of(vectors: list[Any], dimensions: int) -> Matrix:
    """base64 strings (little-endian float32) or lists of numbers → a checked (n, dimensions) matrix.

    Raises ProviderError for another width (naming both), a value that is not finite, or a vector of zeros.
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


def _check_widths(widths: Sequence[int], dimensions: int) -> None:
    """Raises ProviderError for another width: if all vectors have the same, no text is at fault."""
    others = set(widths) - {dimensions}
    if not others:
        return
    came = min(others)
    if len(set(widths)) > 1:
        raise _refuse(f"{dimensions} numbers per vector are wanted, and one has {came}")
    raise WrongWidthError(dimensions, came)


def _from_base64(vectors: list[str], dimensions: int) -> Matrix:
    try:
        raw = [binascii.a2b_base64(vector) for vector in vectors]
    except (binascii.Error, ValueError) as error:
        raise _refuse("a vector is not valid base64") from error
    if any(len(vector) % 4 for vector in raw):
        raise _refuse("a vector is not base64 of whole numbers of 4 bytes")
    _check_widths([len(vector) // 4 for vector in raw], dimensions)
    return (
        np.frombuffer(b"".join(raw), dtype="<f4").reshape(len(raw), dimensions).astype(np.float32, copy=False)
    )


def _from_lists(vectors: list[Any], dimensions: int) -> Matrix:
    if not all(isinstance(vector, list) for vector in vectors):
        raise _refuse("a vector is not a list of numbers")
    _check_widths([len(vector) for vector in vectors], dimensions)
    try:
        with np.errstate(over="ignore"):
            return np.array(vectors, dtype=np.float32).reshape(len(vectors), dimensions)
    except (ValueError, TypeError) as error:
        raise _refuse("a vector contains a value that is not a number") from error
