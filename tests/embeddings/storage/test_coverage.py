"""Which articles a space is behind on."""

from typing import Any

import pytest

from articles.models import Article
from embeddings.models import ArticleEmbedding, Space
from embeddings.storage import coverage
from embeddings.storage.coverage import Coverage
from tests.queueops.factories import make_article, make_space


@pytest.mark.parametrize(
    ("articles", "current", "share"), [(0, 0, 1.0), (1, 0, 0.0), (4, 1, 0.25), (3, 3, 1.0)]
)
def test_an_empty_corpus_is_covered(articles: int, current: int, share: float) -> None:
    assert Coverage(articles, current).share == share


def chunk(article: Article, space: Space, index: int = 0) -> None:
    ArticleEmbedding.objects.create(
        article=article, space=space, chunk_index=index, chunk_count=2, span=(0, 1), text_hash=bytes(16),
        source_version=article.version_number, source_hash=article.content_hash,
    )  # fmt: skip


@pytest.fixture
def space() -> Space:
    return make_space()


@pytest.mark.django_db
def test_an_article_is_behind_until_its_first_chunk_is_of_its_current_text(space: Space) -> None:
    article = make_article()
    assert list(coverage.behind(space)) == [article]
    chunk(article, space, index=1)
    assert coverage.of(space) == Coverage(1, 0)
    chunk(article, space)
    assert coverage.of(space) == Coverage(1, 1)
    assert not coverage.behind(space).exists()
    article.content = "New."
    article.save()
    assert (list(coverage.behind(space)), coverage.of(space)) == ([article], Coverage(1, 0))


@pytest.mark.django_db
def test_each_space_is_behind_by_itself(space: Space) -> None:
    other = Space.objects.create(
        version=200, provider="openai", model="m", dimensions=8, chunk_tokens=200, state="building"
    )
    article = make_article()
    chunk(article, space)
    assert (coverage.of(space).current, coverage.of(other).current) == (1, 0)
    assert list(coverage.behind(other)) == [article]


@pytest.mark.django_db
def test_the_statement_in_sql_says_the_same(space: Space) -> None:
    current, stale, missing = make_article("a"), make_article("b"), make_article("c")
    for article in (current, stale):
        chunk(article, space)
    stale.content = "New."
    stale.save()
    found: Any = Article.objects.raw(
        f"SELECT a.id, {coverage.IS_CURRENT_SQL} AS is_current FROM articles a, embedding_spaces s WHERE s.id = %s",
        [space.pk],
    )
    assert {row.pk: row.is_current for row in found} == {current.pk: True, stale.pk: False, missing.pk: False}
