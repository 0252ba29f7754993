"""Compares every stored vector, number by number, with what the fake provider gives for the article's current text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import starmap
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import psycopg

from embeddings.servers.fake_provider.vectors import Matrix, Writer, from_pool, from_words

# one statement, so one moment; what is stored for an older text is not looked at here
_STORED = """
SELECT e.space_id, a.id, a.version_number, a.content_hash, a.title, a.content,
       array_agg(ARRAY[e.chunk_index, e.chunk_count, lower(e.span), upper(e.span)] ORDER BY e.chunk_index),
       array_agg(e.text_hash ORDER BY e.chunk_index), array_agg(vector_send(e.embedding) ORDER BY e.chunk_index)
FROM articles a JOIN article_embeddings e ON e.article_id = a.id AND e.source_hash = a.content_hash
GROUP BY e.space_id, a.id ORDER BY e.space_id, a.id
"""
_NOTHING_TO_EMBED = [[0, 0, None, None]]
_MAKERS = {"pool": from_pool, "words": from_words}


class Stored(NamedTuple):
    """An article's current text, and what is stored of it in a space."""

    space_id: int
    article_id: int
    version_number: int
    content_hash: UUID
    title: str
    content: str
    places: list[list[int | None]]
    text_hashes: list[bytes]
    wires: list[bytes | None]


class Product(NamedTuple):
    """Inputs of the check from the product: its spaces by id, and its chunking of an article."""

    spaces: Mapping[int, Any]
    source: Callable[..., Any]
    render: Callable[[Any, Any], Any]


def wrong(database: psycopg.Connection[Any], product: Product, kind: str) -> list[str]:
    """One sentence with the number of articles whose vectors are not the provider's and the first of them; none when
    all are right. `kind` is how the provider makes its vectors. Holds where no text was cut for its length."""
    found = [difference for each in _read(database) if (difference := _fault(each, product, kind))]
    return (
        [f"{len(found)} articles with vectors that are not the provider's; first: {found[0]}"]
        if found
        else []
    )


def provided(texts: Sequence[str], dimensions: int, kind: str) -> list[Matrix]:
    """The vectors that the fake provider gives for these texts."""
    write: Writer = _as_wire
    return [np.frombuffer(vector, dtype="<f4") for vector in _MAKERS[kind](texts, dimensions, write)]


def _read(database: psycopg.Connection[Any]) -> Iterator[Stored]:
    with psycopg.Cursor(database) as cursor:  # one of the server's side, whatever the connection makes
        cursor.execute(_STORED, binary=True)
        yield from starmap(Stored, cursor)


def _fault(stored: Stored, product: Product, kind: str) -> str:
    """Errors of an article's vectors in a space; empty if there are none."""
    space = product.spaces[stored.space_id]
    source = product.source(
        stored.article_id, stored.version_number, stored.content_hash, stored.title, stored.content
    )
    rendered = product.render(space, source)
    chunks, where = rendered.chunks, f"article {stored.article_id} in space {stored.space_id}"
    places = [[n, len(chunks), chunk.start, chunk.end] for n, chunk in enumerate(chunks)] or _NOTHING_TO_EMBED
    # an empty range has no bounds
    places = [
        [n, count, *([start, end] if start != end else [None, None])] for n, count, start, end in places
    ]
    if stored.places != places:
        return f"{where} has the chunks {stored.places}, expected {places}"
    if not chunks:
        return "" if stored.wires == [None] else f"{where} has a vector, but no text"
    if stored.text_hashes != rendered.hashes:
        return f"{where} has hashes of other texts"
    right = provided([chunk.text for chunk in chunks], space.dimensions, kind)
    pairs = enumerate(zip(stored.wires, right, strict=True))
    return next(
        (
            f"{where}, chunk {n}: {difference}"
            for n, (wire, vector) in pairs
            if (difference := _differs(wire, vector))
        ),
        "",
    )


def _differs(wire: bytes | None, right: Matrix) -> str:
    if wire is None:
        return "no vector"
    # pgvector's send format: int16 dimensions, int16 unused, then big-endian float4s
    numbers = np.frombuffer(wire, dtype=">f4", offset=4)
    if len(numbers) != len(right):
        return f"{len(numbers)} numbers, expected {len(right)}"
    differing = int(np.count_nonzero(numbers != right))
    return f"{differing} of {len(right)} numbers differ" if differing else ""


def _as_wire(vector: Matrix) -> bytes:
    return vector.astype("<f4", copy=False).tobytes()
