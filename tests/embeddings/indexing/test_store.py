"""Vectors that are there already, and those that are put there."""

from uuid import UUID

import numpy as np
import pytest
from pytest_django import DjangoAssertNumQueries

from articles.models import Article
from embeddings.indexing.render import Rendered, Source, hash_of
from embeddings.indexing.store import reusable, store, stored_meanwhile
from embeddings.models import ArticleEmbedding, KeptVector, Space
from embeddings.storage.vectors import to_wire
from embeddings.text.chunking import Chunk
from tests.queueops.factories import make_article, make_space

pytestmark = pytest.mark.django_db
VECTOR = to_wire(np.eye(1, 8, dtype=np.float32))[0]


@pytest.fixture
def space() -> Space:
    return make_space()


def rendered(article: Article, *texts: str) -> Rendered:
    chunks = [Chunk(at, at + len(text), text) for at, text in enumerate(texts)]
    source = Source(article.pk, article.version_number, article.content_hash, article.title, article.content)
    return Rendered(source, chunks, [hash_of(chunk) for chunk in chunks])


def stored(article: Article) -> list[tuple[int, int, int | None, bytes]]:
    rows = ArticleEmbedding.objects.filter(article=article).order_by("chunk_index")
    return [(row.chunk_index, row.chunk_count, row.span.lower, bytes(row.text_hash)) for row in rows]


def test_chunks_are_stored_in_their_order_and_found_by_their_text(space: Space) -> None:
    article = make_article()
    one = rendered(article, "first", "second", "first")
    store(space, [one], dict.fromkeys(one.hashes, VECTOR))
    assert stored(article) == [(n, 3, n, text_hash) for n, text_hash in enumerate(one.hashes)]
    found = reusable(space, [one, rendered(article, "other")])
    assert (found.stored, found.kept) == (dict.fromkeys(one.hashes, VECTOR), {})


def test_they_take_the_place_of_what_was_there_before(space: Space) -> None:
    article, other = make_article(), make_article("Other")
    for texts in (["a", "b"], ["c"], []):
        each = [rendered(article, *texts), rendered(other, "kept")]
        store(space, each, {text_hash: VECTOR for one in each for text_hash in one.hashes})
        assert len(stored(article)) == max(1, len(texts))
    assert stored(article) == [(0, 0, None, bytes(16))]  # an empty range
    assert len(stored(other)) == 1


def test_a_chunk_without_a_vector_is_never_stored(space: Space) -> None:
    article = make_article()
    with pytest.raises(KeyError):
        store(space, [rendered(article, "a")], {})
    assert stored(article) == []


def test_nothing_is_stored_and_nothing_known_of_nothing(
    space: Space, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        store(space, [], {})
        assert reusable(space, [rendered(Article(pk=1, content_hash=UUID(int=1)))]) == ({}, {})


def test_vectors_of_another_space_are_not_reused(space: Space) -> None:
    article = make_article()
    one = rendered(article, "a")
    store(space, [one], dict.fromkeys(one.hashes, VECTOR))
    other = Space.objects.create(
        version=200, provider="openai", model="m", dimensions=8, chunk_tokens=200, state="building"
    )
    assert reusable(other, [one]).stored == {}


def test_what_is_kept_and_what_is_stored_turns_up_in_the_midst(space: Space) -> None:
    article = make_article()
    one, two = rendered(article, "stored"), rendered(article, "kept")
    store(space, [one], dict.fromkeys(one.hashes, VECTOR))
    KeptVector.objects.create(
        article=article, space=space, text_hash=two.hashes[0], embedding=VECTOR, chunks_to_embed=1
    )
    wanted = [*one.hashes, *two.hashes, bytes(16)]
    assert stored_meanwhile(space, wanted) == dict.fromkeys([*one.hashes, *two.hashes], VECTOR)
