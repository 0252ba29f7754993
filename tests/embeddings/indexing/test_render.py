"""From an article's text to its chunks and their hashes."""

import hashlib
from typing import Any
from uuid import UUID

import pytest

from embeddings.indexing.render import Source, hash_of, render, text_hash
from embeddings.models import Space


def space(**fields: Any) -> Space:
    given = {"provider": "openai", "model": "fake-embed", "dimensions": 64, "chunk_tokens": 40}
    return Space(**{**given, **fields})


def source(content: str, title: str = "Title") -> Source:
    return Source(1, 1, UUID(int=1), title, content)


def test_a_hash_is_sixteen_bytes_of_the_text_as_it_is_read() -> None:
    assert text_hash("ä") == hashlib.blake2b("ä".encode(), digest_size=16).digest()


@pytest.mark.parametrize("content", ["", "One sentence.", "A sentence of words. " * 100, "日本語。" * 200])
def test_each_chunk_has_its_hash(content: str) -> None:
    rendered = render(space(), source(content))
    assert rendered.hashes == [hash_of(chunk) for chunk in rendered.chunks]
    assert rendered.source.content == content


def test_the_same_text_of_another_article_has_the_same_hashes() -> None:
    one = render(space(), source("A sentence of words. " * 100))
    other = render(
        space(), source("A sentence of words. " * 100)._replace(article_id=2, content_hash=UUID(int=2))
    )
    assert one.hashes == other.hashes
    assert len(one.hashes) > 1


@pytest.mark.parametrize(
    "fields",
    [{"chunk_tokens": 80}, {"model": "nomic-embed-text", "dimensions": 768}],
    ids=["chunking", "prefix"],
)
def test_what_the_model_reads_differs_where_the_space_does(fields: dict[str, Any]) -> None:
    text = source("A sentence of words. " * 100)
    assert set(render(space(), text).hashes) != set(render(space(**fields), text).hashes)


def test_a_prefix_stands_in_front_of_every_chunk() -> None:
    rendered = render(
        space(model="nomic-embed-text", dimensions=768, chunk_tokens=60), source("Words. " * 200)
    )
    assert len(rendered.chunks) > 1
    assert all(chunk.text.startswith("search_document: ") for chunk in rendered.chunks)


def test_a_long_article_that_comes_again_is_not_cut_again() -> None:
    text = source("A sentence of words. " * 3_000)
    assert render(space(), text).chunks is render(space(), text).chunks
    assert render(space(), text).chunks is not render(space(chunk_tokens=50), text).chunks
