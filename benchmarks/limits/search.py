"""The limits of a search: pgvector alone on the narrowest table, the nearest ids by an index of its own, or exactly of
the hundredth that a B-tree finds; and the ids alone of our own rows and our own index."""

import struct
from collections.abc import Iterable

import psycopg

_SCHEMA = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE documents (id bigint PRIMARY KEY, kind int NOT NULL, embedding vector({dimensions}) NOT NULL)
"""
_HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8, b"\xff\xff"
_ROW = struct.Struct("!hiqiii")
_COPY = "COPY documents FROM STDIN (FORMAT binary)"
_INDEXES = [
    "SET maintenance_work_mem = '512MB'",
    "CREATE INDEX ON documents USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 64)",
    "CREATE INDEX ON documents (kind)",
    "VACUUM ANALYZE documents",
]
NEAREST = "SELECT id, embedding <=> %(vector)s::vector AS distance FROM documents ORDER BY distance LIMIT {k}"
# OFFSET 0 keeps the order out of the inner query, and with it the approximate index
NEAREST_OF_KIND = """
SELECT * FROM (SELECT id, embedding <=> %(vector)s::vector AS distance FROM documents WHERE kind = {kind} OFFSET 0) kept
ORDER BY distance LIMIT {k}
"""
NEAREST_ON_OURS = """
SELECT article_id, embedding::{type} <=> %(vector)s::vector::{type} AS distance
FROM article_embeddings WHERE space_id = {space} ORDER BY distance LIMIT {k}
"""
NEAREST_OF_ARTICLES = """
SELECT * FROM (
    SELECT article_id, embedding::{type} <=> %(vector)s::vector::{type} AS distance
    FROM article_embeddings WHERE space_id = {space} AND article_id = ANY(%(articles)s) OFFSET 0
) kept ORDER BY distance LIMIT {k}
"""
MATCHES = "SELECT id FROM articles WHERE keywords @@ to_tsquery('english', %s) LIMIT %s"


def fill(session: psycopg.Connection, wires: Iterable[bytes], dimensions: int) -> None:
    """Row n has the n-th vector, in pgvector's binary form, and is of kind n % 100."""
    session.execute(_SCHEMA.format(dimensions=dimensions).encode())
    with session.cursor().copy(_COPY) as copy:
        copy.write(_HEADER)
        for number, wire in enumerate(wires):
            copy.write(_ROW.pack(3, 8, number, 4, number % 100, len(wire)) + wire)
        copy.write(_TRAILER)
    for statement in _INDEXES:
        session.execute(statement.encode())
