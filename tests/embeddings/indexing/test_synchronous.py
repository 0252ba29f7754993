"""Articles that are brought up to date in the process that asks."""

import pytest

from articles.models import Article
from embeddings.indexing.synchronous import bring_up_to_date
from embeddings.models import ArticleEmbedding, Space
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.storage import coverage
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_space

pytestmark = pytest.mark.django_db


@pytest.fixture
def space(provider: FakeProvider) -> Space:
    return make_space(dimensions=64, chunk_tokens=40)


def current(space: Space) -> set[int]:
    behind = set(coverage.behind(space).values_list("pk", flat=True))
    return set(Article.objects.values_list("pk", flat=True)) - behind


def test_no_articles_make_no_work(space: Space, provider: FakeProvider) -> None:
    assert bring_up_to_date(space, [], 5) == 0
    assert bring_up_to_date(space, [2**62], 5) == 0
    assert provider.stats()["requests"] == 0


def test_articles_are_up_to_date_afterwards_and_again_costs_nothing(
    space: Space, provider: FakeProvider
) -> None:
    ids = [make_article(f"Title {n}", "Words of a text. " * n).pk for n in (0, 1, 60)]
    other = make_article("Another").pk
    assert bring_up_to_date(space, ids, 5) == 3
    assert current(space) == set(ids)
    asked = provider.stats()["texts"]
    assert bring_up_to_date(space, ids, 5) == 3
    assert provider.stats()["texts"] == asked
    assert other not in current(space)


def test_an_edit_takes_the_old_vectors_away(space: Space) -> None:
    article = make_article("Title", "Words of a text. " * 60)
    bring_up_to_date(space, [article.pk], 5)
    article.content = "Short."
    article.save()
    bring_up_to_date(space, [article.pk], 5)
    (row,) = ArticleEmbedding.objects.filter(article=article)
    assert (row.chunk_count, row.source_version, row.source_hash) == (1, 2, article.content_hash)


def test_an_empty_text_is_up_to_date_without_a_vector(space: Space, provider: FakeProvider) -> None:
    article = Article(title="Empty", slug="empty")
    Article.objects.bulk_create([article])
    assert bring_up_to_date(space, [Article.objects.get().pk], 5) == 1
    (row,) = ArticleEmbedding.objects.all()
    assert (row.embedding, row.chunk_count) == (None, 0)
    assert provider.stats()["requests"] == 0


def test_an_article_that_is_refused_keeps_no_other_from_its_vectors(
    space: Space, provider: FakeProvider
) -> None:
    provider.config(poison="POISON")
    good = [make_article(f"Good {n}").pk for n in range(3)]
    bad = make_article("Bad", "POISON").pk
    with pytest.raises(ProviderError) as refused:
        bring_up_to_date(space, [*good, bad], 5)
    assert refused.value.kind is ErrorClass.INVALID_INPUT
    assert current(space) == set(good)


def test_a_provider_that_is_down_is_shown_and_nothing_is_stored(space: Space, provider: FakeProvider) -> None:
    provider.config(fail_next=["503"])
    with pytest.raises(ProviderError) as refused:
        bring_up_to_date(space, [make_article().pk], 5)
    assert refused.value.kind is ErrorClass.PROVIDER_DOWN
    assert not ArticleEmbedding.objects.exists()


def test_a_text_that_is_too_long_for_the_model_is_stored_in_smaller_chunks(provider: FakeProvider) -> None:
    space = make_space(dimensions=64, chunk_tokens=200)
    provider.config(max_tokens_per_text=60)
    article = make_article("Title", " ".join(f"Sentence number {n} of a text." for n in range(40)))
    assert bring_up_to_date(space, [article.pk], 5) == 1
    rows = list(ArticleEmbedding.objects.order_by("chunk_index"))
    assert [row.chunk_index for row in rows] == list(range(len(rows)))
    assert {row.chunk_count for row in rows} == {len(rows)}
    assert all(row.span.lower <= row.span.upper <= len(article.content) for row in rows)
