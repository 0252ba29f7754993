"""Reads and writes vectors in Postgres' binary form; the only module that knows how they lie on the wire."""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np
import orjson
from django.db import connection

from embeddings import arrays
from embeddings.providers.base import Matrix

# pgvector's send format: int16 dimensions, int16 unused, then big-endian float4s (pgvector src/vector.c, vector_send)
WireVector = bytes


class StoredChunk(NamedTuple):
    """One row of article_embeddings; `vector` is None for a text with nothing to embed."""

    article_id: int
    chunk_index: int
    chunk_count: int
    start: int
    end: int
    text_hash: bytes
    source_version: int
    source_hash: UUID
    vector: WireVector | None


def to_wire(matrix: Matrix) -> list[WireVector]:
    """The rows of an (n, dimensions) matrix, each as pgvector receives it."""
    width = matrix.shape[1]
    head = struct.pack("!HH", width, 0)
    raw = memoryview(matrix.astype(">f4").tobytes())
    return [head + raw[at : at + 4 * width] for at in range(0, len(raw), 4 * width)]


def from_wire(vector: WireVector) -> Matrix:
    """The numbers of one vector."""
    return np.frombuffer(vector, dtype=">f4", offset=4).astype(np.float32)


def wire_length(dimensions: int) -> int:
    """How many bytes a vector of this width has."""
    return 4 + 4 * dimensions


def is_wire(data: bytes, dimensions: int) -> bool:
    """Whether bytes from elsewhere are a vector of this width that has a direction: finite, and neither so short nor so
    long that its square, which the cosine divides by, is 0 or infinite."""
    if len(data) != wire_length(dimensions) or data[:4] != struct.pack("!HH", dimensions, 0):
        return False
    numbers = from_wire(data)
    with np.errstate(all="ignore"):
        square = np.dot(numbers, numbers)
    return bool(0 < square < np.inf)


def known(space_id: int, hashes: Sequence[bytes]) -> dict[bytes, WireVector]:
    """The vectors that these texts have in a space already, by text hash."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (text_hash) text_hash, vector_send(embedding) FROM article_embeddings"
            " WHERE space_id = %s::bigint AND text_hash = ANY(%s::bytea[]) AND embedding IS NOT NULL",
            [space_id, arrays.of_bytes(hashes)],
        )
        return {bytes(text_hash): bytes(vector) for text_hash, vector in cursor.fetchall()}


def replace(space_id: int, article_ids: Sequence[int], chunks: Iterable[StoredChunk]) -> None:
    """Makes these chunks the only ones that these articles have in a space; call it inside a transaction."""
    rows = b"".join([_HEADER, *(_row(space_id, chunk) for chunk in chunks), _TRAILER])
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM article_embeddings WHERE article_id = ANY(%s::bigint[]) AND space_id = %s::bigint",
            [arrays.of_integers(article_ids), space_id],
        )
        with connection.wrap_database_errors, cursor.copy(_COPY) as copy:  # else they are psycopg's own
            copy.write(rows)


_COPY = """
COPY article_embeddings (article_id, space_id, chunk_index, chunk_count, span, text_hash, source_version, source_hash,
                         embedding) FROM STDIN (FORMAT binary)
"""
# the binary COPY format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"
_HEADER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
_TRAILER = b"\xff\xff"
# each field with its length before it; a vector follows with its own
_ROW = struct.Struct("!hiqiqiiiiiBiiiii16siii16si")
_ROW_OF_NO_TEXT = struct.Struct("!hiqiqiiiiiBi16siii16si")
# range flags: lower bound inclusive, upper exclusive; or no bounds, since nothing is in it
_FILLED, _EMPTY = 0x02, 0x01
_NULL = -1


def _row(space_id: int, chunk: StoredChunk) -> bytes:
    article_id, index, count, start, end, text_hash, version, source_hash, vector = chunk
    place = (9, 8, article_id, 8, space_id, 4, index, 4, count)
    source = (16, text_hash, 4, version, 16, source_hash.bytes, _NULL if vector is None else len(vector))
    if end > start:
        head = _ROW.pack(*place, 17, _FILLED, 4, start, 4, end, *source)
    else:
        head = _ROW_OF_NO_TEXT.pack(*place, 1, _EMPTY, *source)
    return head if vector is None else head + vector


def as_text(vector: WireVector) -> str:
    """A vector as a statement's text names it: "[0.5,-1.0]"."""
    return orjson.dumps(from_wire(vector), option=orjson.OPT_SERIALIZE_NUMPY).decode()
