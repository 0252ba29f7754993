"""Vectors of unit length that depend on the text only, in the notation of a reply."""

import base64
import re
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import orjson
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Writer = Callable[[Matrix], bytes]

POOL = 4_096
_WORD = re.compile(r"\w+")
# Odd multipliers (of splitmix64 and its kin): each sends a word to another place and sign.
_MIXERS = np.array(
    [0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93], dtype=np.uint64
)


def as_base64(vector: Matrix) -> bytes:
    """A JSON string: base64 of little-endian float32."""
    return b'"%b"' % base64.b64encode(vector.astype("<f4", copy=False).tobytes())


def as_numbers(vector: Matrix) -> bytes:
    """A JSON array of numbers; NaN is written as Python servers write it, although JSON has none."""
    if np.isnan(vector).any():
        return b"[" + b",".join(b"NaN" if np.isnan(number) else b"%g" % number for number in vector) + b"]"
    return orjson.dumps(np.ascontiguousarray(vector), option=orjson.OPT_SERIALIZE_NUMPY)


def from_words(texts: Sequence[str], dimensions: int, write: Writer) -> list[bytes]:
    """One vector per text, near those of texts that share words with it."""
    return [write(vector) for vector in word_vectors(texts, dimensions)]


def word_vectors(texts: Sequence[str], dimensions: int) -> Matrix:
    """Feature hashing (Weinberger et al., 2009, arXiv 0902.2206): every different word of a text adds +1 or -1 at
    four places."""
    bags = [_words(text) for text in texts]
    rows = np.repeat(np.arange(len(texts)), [len(bag) for bag in bags])
    mixed = np.array([word for bag in bags for word in bag], dtype=np.uint64)[:, None] * _MIXERS
    mixed ^= mixed >> np.uint64(29)
    places = rows[:, None] * dimensions + ((mixed >> np.uint64(32)) % np.uint64(dimensions)).astype(np.int64)
    signs = 1.0 - 2.0 * (mixed & np.uint64(1)).astype(np.float64)
    sums = np.bincount(places.ravel(), signs.ravel(), len(texts) * dimensions).reshape(len(texts), dimensions)
    sums[~sums.any(axis=1), 0] = 1.0  # words that cancel out must not make a zero vector
    return (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)


def from_pool(texts: Sequence[str], dimensions: int, write: Writer) -> list[bytes]:
    """One of 4,096 fixed vectors per text: no computing, for benchmarks of everything but the provider."""
    pool = _pool(dimensions, write)
    return [pool[zlib.crc32(text.encode(errors="replace")) % POOL] for text in texts]


def _words(text: str) -> set[int]:
    """The different words as numbers; a text without words is one word."""
    return set(map(_number, _WORD.findall(text.lower()) or [text]))


@lru_cache(maxsize=65_536)
def _number(word: str) -> int:
    return zlib.crc32(word.encode(errors="replace"))


@lru_cache(maxsize=8)
def _pool(dimensions: int, write: Writer) -> "_Pool":
    return _Pool(dimensions, write)


class _Pool(dict[int, bytes]):
    """Written vectors by their number, each written when first asked for."""

    def __init__(self, dimensions: int, write: Writer) -> None:
        super().__init__()
        drawn = np.random.default_rng(dimensions).standard_normal((POOL, dimensions), dtype=np.float32)
        self._vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        self._write = write

    def __missing__(self, number: int) -> bytes:
        self[number] = written = self._write(self._vectors[number])
        return written
