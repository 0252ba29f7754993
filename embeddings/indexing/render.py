"""Turns an article's text into its chunks in one space, with their hashes."""

import functools
import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from uuid import UUID

from embeddings.models import Space
from embeddings.recipes import own
from embeddings.text.chunking import Chunk, chunks_of
from embeddings.text.tokens import TokenCounter, counter_for

_LONG_CHARACTERS = 32_768


class Source(NamedTuple):
    """The text of an article as it was read; version and hash show later whether it is still current."""

    article_id: int
    version_number: int
    content_hash: UUID
    title: str
    content: str


class Rendered(NamedTuple):
    source: Source
    chunks: list[Chunk]
    hashes: list[bytes]


def text_hash(text: str) -> bytes:
    """BLAKE2b-128 of a chunk as it is sent to the provider."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def hash_of(chunk: Chunk) -> bytes:
    return text_hash(chunk.text)


def render(space: Space, source: Source) -> Rendered:
    """The chunks of an article in a space, with their hashes."""
    return next(render_all(space, [source]))


def render_all(space: Space, sources: Iterable[Source]) -> Iterator[Rendered]:
    """As `render`, for many; the recipe is looked up once."""
    recipe = own(space)
    count = counter_for(recipe.model)
    how = (count, recipe.document_prefix, recipe.chunk_tokens, recipe.chunk_overlap)
    for source in sources:
        cut = _cut if len(source.content) < _LONG_CHARACTERS else _cut_once
        yield Rendered(source, *cut(source.title, source.content, *how))


def _cut(
    title: str, content: str, count: TokenCounter, prefix: str, tokens: int, overlap: int
) -> tuple[list[Chunk], list[bytes]]:
    chunks = chunks_of(title, content, budget=tokens, overlap=overlap, count=count, prefix=prefix)
    return chunks, [text_hash(chunk.text) for chunk in chunks]


# Counting a megabyte takes a second, and a long article whose turn ended is claimed again soon.
_cut_once = functools.lru_cache(maxsize=4)(_cut)
