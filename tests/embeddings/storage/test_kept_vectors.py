"""Vectors of articles that are not complete yet."""

import pytest
from pytest_django import DjangoAssertNumQueries

from articles.models import Article
from embeddings.models import KeptVector, Space
from embeddings.storage import kept_vectors
from tests.queueops.factories import make_article, make_space

pytestmark = pytest.mark.django_db
A, B = b"a" * 16, b"b" * 16


@pytest.fixture
def space() -> Space:
    return make_space()


def keep(article: Article, space: Space, text_hash: bytes, vector: bytes = b"\x00vector") -> None:
    KeptVector.objects.create(
        article=article, space=space, text_hash=text_hash, embedding=vector, chunks_to_embed=2
    )


def test_each_article_has_kept_its_own(space: Space) -> None:
    one, two = make_article("one"), make_article("two")
    keep(one, space, A)
    keep(two, space, B)
    assert kept_vectors.of_articles(space.pk, [one.pk]) == {A: b"\x00vector"}
    assert kept_vectors.of_articles(space.pk, {one.pk, two.pk}).keys() == {A, B}
    assert kept_vectors.of_articles(space.pk + 1, [one.pk]) == {}


def test_nothing_is_asked_about_no_article(
    space: Space, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert kept_vectors.of_articles(space.pk, []) == {}
        kept_vectors.remove(space.pk, [])
        kept_vectors.forget([])


def test_removing_is_for_one_space_and_forgetting_for_all(space: Space) -> None:
    other = Space.objects.create(
        version=200, provider="openai", model="m", dimensions=8, chunk_tokens=200, state="building"
    )
    one, two = make_article("one"), make_article("two")
    for article in (one, two):
        for each in (space, other):
            keep(article, each, A)
    kept_vectors.remove(space.pk, [one.pk])
    assert KeptVector.objects.count() == 3
    kept_vectors.forget([one.pk])
    assert set(KeptVector.objects.values_list("article_id", flat=True)) == {two.pk}
    assert KeptVector.objects.count() == 2
