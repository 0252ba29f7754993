"""The vectors of articles' chunks, and the texts that a provider refuses."""

from typing import Any
from uuid import UUID

import numpy as np
import pytest

from embeddings.indexing.embed import Vectors, embed
from embeddings.indexing.render import Rendered, Source, render, text_hash
from embeddings.models import Space
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.storage.vectors import from_wire
from tests.providers import FakeProvider
from tests.queueops.factories import make_space

pytestmark = pytest.mark.django_db


@pytest.fixture
def space(provider: FakeProvider) -> Space:
    return make_space(dimensions=64, chunk_tokens=40)


def rendered(space: Space, *contents: str) -> list[Rendered]:
    """Articles 1, 2, …; equal contents are equal texts."""
    return [
        render(space, Source(number, 1, UUID(int=number), "", content))
        for number, content in enumerate(contents, start=1)
    ]


def hashes(articles: list[Rendered]) -> set[bytes]:
    return {text_hash for article in articles for text_hash in article.hashes}


LONG = " ".join(f"Sentence number {n} of a text." for n in range(60))


def test_nothing_is_asked_for_where_there_is_nothing(space: Space, provider: FakeProvider) -> None:
    for articles in ([], rendered(space, ""), rendered(space, " \n ")):
        made = embed(space, articles, {}, 5)
        assert (made.by_hash, made.errors, made.failure, made.requests) == ({}, {}, None, 0)
    assert provider.stats()["requests"] == 0


def test_every_chunk_gets_a_vector_and_the_same_text_is_asked_once(
    space: Space, provider: FakeProvider
) -> None:
    articles = rendered(space, LONG, LONG, "Another text.")
    made = embed(space, articles, {}, 5)
    assert made.by_hash.keys() == hashes(articles)
    assert provider.stats()["texts"] == len(hashes(articles)) == made.texts
    assert np.linalg.norm(from_wire(made.by_hash[articles[2].hashes[0]])) == pytest.approx(1, abs=1e-5)


def test_a_chunk_with_a_vector_is_not_paid_for_again(space: Space, provider: FakeProvider) -> None:
    articles = rendered(space, "One text.", "Another text.")
    known = {articles[0].hashes[0]: b"as it was"}
    made = embed(space, articles, known, 5)
    assert made.by_hash[articles[0].hashes[0]] == b"as it was"
    assert provider.stats()["texts"] == 1
    assert embed(space, articles, made.by_hash, 5).requests == 0


@pytest.mark.parametrize("place", [0, 1, 6])
def test_a_text_that_is_refused_spoils_no_other(space: Space, provider: FakeProvider, place: int) -> None:
    provider.config(poison="POISON")
    contents = [f"Text number {n}." for n in range(7)]
    contents[place] += " POISON"
    articles = rendered(space, *contents)
    made = embed(space, articles, {}, 5)
    bad = articles[place]
    assert made.errors.keys() == set(bad.hashes)
    assert made.by_hash.keys() == hashes(articles) - set(bad.hashes)
    error = made.error_of(bad)
    assert error
    assert error.kind is ErrorClass.INVALID_INPUT
    assert made.error_of(articles[place - 1]) is None
    assert made.failure is None


def test_a_dialect_refused_with_a_500_is_learned_without_a_queue(space: Space, provider: Any) -> None:
    provider.config(refuse_fields=["encoding_format"], refusal_status=500)
    articles = rendered(space, "One text.", "Another text.")
    made = embed(space, articles, {}, 5)
    assert (made.failure, made.errors) == (None, {})
    assert made.by_hash.keys() == hashes(articles)


def test_no_text_is_at_fault_where_even_a_harmless_one_is_refused(
    space: Space, provider: FakeProvider
) -> None:
    provider.config(poison=" ")
    made = embed(space, rendered(space, "A text."), {}, 5)
    assert made.failure
    assert made.failure.kind is ErrorClass.PROVIDER_DOWN
    assert made.errors == {}


def test_a_text_that_is_too_long_is_asked_for_in_smaller_chunks(provider: FakeProvider) -> None:
    space = make_space(dimensions=64, chunk_tokens=200)
    provider.config(max_tokens_per_text=60)
    articles = rendered(space, LONG, "Short one.")
    made = embed(space, articles, {}, 5)
    assert (made.errors, made.failure) == ({}, None)
    assert made.instead.keys() == {1}
    smaller = made.instead[1]
    assert len(smaller.chunks) > len(articles[0].chunks)
    assert set(smaller.hashes) <= made.by_hash.keys()
    assert max(len(chunk.text) for chunk in smaller.chunks) < 4 * 61
    for chunk, chunk_hash in zip(smaller.chunks, smaller.hashes, strict=True):
        assert text_hash(chunk.text) == chunk_hash
        assert chunk.text.strip() in LONG


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("429", ErrorClass.RATE_LIMITED),
        ("500", ErrorClass.TRANSIENT),
        ("401", ErrorClass.AUTH),
        ("503", ErrorClass.PROVIDER_DOWN),
        ("nan", ErrorClass.TRANSIENT),
    ],
)
def test_any_other_error_ends_the_asking_and_keeps_what_was_paid_for(
    space: Space, provider: FakeProvider, fault: str, kind: ErrorClass
) -> None:
    provider.config(fail_next=[fault])
    paid = {text_hash("paid"): b"paid"}
    made = embed(space, rendered(space, "A text."), paid, 5)
    assert made.failure
    assert made.failure.kind is kind
    assert made.by_hash == paid
    assert made.errors == {}


def test_a_deadline_that_is_over_asks_nobody(space: Space, provider: FakeProvider) -> None:
    made = embed(space, rendered(space, "A text."), {}, 0)
    assert made.failure
    assert provider.stats()["requests"] == 0


def test_one_chunk_that_failed_fails_its_article() -> None:
    error = ProviderError(ErrorClass.INVALID_INPUT, "refused")
    article = Rendered(Source(1, 1, UUID(int=1), "", ""), [], [b"a", b"b"])
    assert Vectors({b"a": b"v"}, {b"b": error}).error_of(article) is error
    assert Vectors({b"a": b"v"}, {b"c": error}).error_of(article) is None
    assert Vectors().error_of(article) is None
