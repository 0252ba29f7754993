"""Reads and writes vectors in Postgres' binary form; the only module that knows the wire format."""

import random
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np
import psycopg
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import pq
from psycopg.adapt import Dumper

from embeddings.providers.base import Matrix
from lib import sql_arrays

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
    """Bytes of a vector of this width."""
    return 4 + 4 * dimensions


def is_wire(data: bytes, dimensions: int) -> bool:
    """Whether untrusted bytes are a vector of this width with a direction: finite, and its square, which the cosine
    divides by, neither 0 nor infinite."""
    if len(data) != wire_length(dimensions) or data[:4] != struct.pack("!HH", dimensions, 0):
        return False
    numbers = from_wire(data)
    with np.errstate(all="ignore"):
        square = np.dot(numbers, numbers)
    return bool(0 < square < np.inf)


_KNOWN = """
(SELECT DISTINCT ON (text_hash) text_hash, vector_send(embedding), false FROM article_embeddings
 WHERE space_id = %(space)s::bigint AND text_hash = ANY(%(hashes)s::bytea[]) AND embedding IS NOT NULL)
UNION ALL
SELECT text_hash, embedding, true FROM kept_vectors
WHERE space_id = %(space)s::bigint AND text_hash = ANY(%(hashes)s::bytea[])
"""


class Known(NamedTuple):
    """Vectors by text hash: those of current articles, and those kept for incomplete ones."""

    stored: dict[bytes, WireVector]
    kept: dict[bytes, WireVector]


def known(space_id: int, hashes: Sequence[bytes]) -> Known:
    """The vectors that these texts already have in a space."""
    found = Known({}, {})
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, {"space": space_id, "hashes": sql_arrays.of_bytes(hashes)})
        for text_hash, vector, is_kept in cursor.fetchall():
            (found.kept if is_kept else found.stored)[bytes(text_hash)] = bytes(vector)
    return found


def replace(space_id: int, article_ids: Sequence[int], chunks: Iterable[StoredChunk]) -> None:
    """Makes these chunks the only ones that these articles have in a space; call it inside a transaction."""
    rows = _copied(space_id, chunks)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM article_embeddings WHERE article_id = ANY(%s::bigint[]) AND space_id = %s::bigint",
            [sql_arrays.of_integers(article_ids), space_id],
        )
        _copy(cursor, rows)


def try_write(space_id: int, dimensions: int, besides: Sequence[int]) -> None:
    """Writes a vector of an article other than these, as `replace` does, and rolls back. Raises the database's error;
    does nothing if there is no other article."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_OTHER_ARTICLE, [_LOCK_MILLISECONDS, sql_arrays.of_integers(besides)])
        if row := cursor.fetchone():
            unit = to_wire(np.eye(1, dimensions, dtype=np.float32))[0]
            # far beyond any chunk's index, and not that of another process
            index = random.randrange(1 << 30, 1 << 31)
            chunk = StoredChunk(row[0], index, 1, 0, 0, bytes(16), 0, UUID(int=0), unit)
            _copy(cursor, _copied(space_id, [chunk]))
        transaction.set_rollback(True)


def _copy(cursor: CursorWrapper, rows: bytes) -> None:
    # Django wraps only the errors of its own calls, and callers expect its classes
    with connection.wrap_database_errors, cursor.copy(_COPY) as copy:
        copy.write(rows)


_LOCK_MILLISECONDS = "1000"
_OTHER_ARTICLE = """
SELECT a.id FROM articles a, (SELECT set_config('lock_timeout', %s, true)) AS bounded
WHERE a.id <> ALL(%s::bigint[]) ORDER BY a.id LIMIT 1
"""
_COPY = """
COPY article_embeddings (article_id, space_id, chunk_index, chunk_count, span, text_hash, source_version, source_hash,
                         embedding) FROM STDIN (FORMAT binary)
"""
# the binary COPY format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"
_HEADER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
_TRAILER = b"\xff\xff"
# each field is preceded by its length; a vector follows with its own
_ROW = struct.Struct("!hiqiqiiiiiBiiiii16siii16si")
_ROW_OF_NO_TEXT = struct.Struct("!hiqiqiiiiiBi16siii16si")
# range flags: lower bound inclusive, upper exclusive; or no bounds, since nothing is in it
_FILLED, _EMPTY = 0x02, 0x01
_NULL = -1


def _copied(space_id: int, chunks: Iterable[StoredChunk]) -> bytes:
    """The rows as COPY reads them."""
    parts = [_HEADER]
    filled, empty = _ROW.pack, _ROW_OF_NO_TEXT.pack
    for article_id, index, count, start, end, text_hash, version, source_hash, vector in chunks:
        at = (8, article_id, 8, space_id, 4, index, 4, count)
        of = (16, text_hash, 4, version, 16, source_hash.bytes, _NULL if vector is None else len(vector))
        span = (
            filled(9, *at, 17, _FILLED, 4, start, 4, end, *of)
            if end > start
            else empty(9, *at, 1, _EMPTY, *of)
        )
        parts.append(span)
        if vector is not None:
            parts.append(vector)
    parts.append(_TRAILER)
    return b"".join(parts)


class VectorParameter(NamedTuple):
    """A vector as a parameter that travels beside its statement, for `%s::vector`."""

    wire: WireVector


class _VectorDumper(Dumper):
    """Sends the bytes as they are. Type 0: the server takes it from the cast, since an extension's type has a number of
    its own in each database."""

    format = pq.Format.BINARY
    oid = 0

    def dump(self, obj: VectorParameter) -> bytes:
        return obj.wire


# before the first connection, which copies what is registered
psycopg.adapters.register_dumper(VectorParameter, _VectorDumper)
