"""An article and its first version in one statement."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import articles.insert
from articles.insert import Companions, accompanied_by, first_free, insert
from articles.models import Article, ArticleVersion

pytestmark = pytest.mark.django_db


def columns(slug: str, **fields: Any) -> dict[str, Any]:
    given = {"id": None, "created_at": None, "updated_at": None, "version_number": 1}
    return {**given, "slug": slug, "title": "T", "content": "C", "metadata": {}, **fields}


def test_it_answers_what_the_database_made() -> None:
    made = insert(columns("a", metadata={"ä": [1, None]}), "me")
    assert made is not None
    article = Article.objects.get()
    assert made == {
        name: getattr(article, name) for name in ("id", "slug", "content_hash", "created_at", "updated_at")
    }
    assert article.metadata == {"ä": [1, None]}
    version = ArticleVersion.objects.get()
    assert (version.article_id, version.version_number, version.title, version.content, version.author) == (
        article.id, 1, "T", "C", "me",
    )  # fmt: skip


def test_what_is_given_is_kept() -> None:
    then = datetime(2020, 1, 2, tzinfo=UTC)
    made = insert(columns("a", id=4_711, created_at=then, updated_at=then, version_number=3), "")
    assert made is not None
    assert (made["id"], made["created_at"], made["updated_at"]) == (4_711, then, then)
    assert ArticleVersion.objects.get().version_number == 3


def test_a_slug_that_is_taken_writes_nothing() -> None:
    insert(columns("a"), "")
    assert insert(columns("a", title="Other"), "") is None
    assert (Article.objects.get().title, ArticleVersion.objects.count()) == ("T", 1)


@pytest.fixture
def companions() -> Iterator[list[int]]:
    """What has been written beside articles, and under which ids: here, a second version."""
    written: list[int] = []
    rows = """, second AS (
        INSERT INTO article_versions (article_id, version_number, title, content, author)
        SELECT id, 2, title, content, %(second)s::text FROM article
    )"""
    before = articles.insert._companions
    accompanied_by(lambda: Companions(rows, {"second": "{somebody}"}, written.append))
    yield written
    accompanied_by(before)


def test_accompanying_rows_are_written_in_the_articles_statement(companions: list[int]) -> None:
    with CaptureQueriesContext(connection) as queries:
        made = insert(columns("a"), "me")
    assert made is not None
    assert len(queries) == 1
    assert list(ArticleVersion.objects.values_list("author", flat=True)) == ["{somebody}", "me"]
    assert companions == [made["id"]]


def test_an_article_that_is_not_written_has_no_accompanying_rows(companions: list[int]) -> None:
    insert(columns("a"), "")
    companions.clear()
    assert insert(columns("a"), "") is None
    assert (ArticleVersion.objects.count(), companions) == (2, [])


@pytest.mark.parametrize("text", ["'; DROP TABLE articles; --", "%s %(id)s", "\\", "\U0001f642", "a\tb\n"])
def test_no_text_is_read_as_a_statement(text: str) -> None:
    title = text.replace("\t", "").replace("\n", "")  # a title is one line
    insert(columns("a", title=title, content=text, metadata={text: text}), text)
    article = Article.objects.get()
    assert (article.title, article.content, article.metadata) == (title, text, {text: text})
    assert ArticleVersion.objects.get().author == text


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["c"], "c"),
        (["a", "c", "d"], "c"),
        (["d", "c"], "d"),
        (["a", "b"], "b"),
        (["b", "a"], "a"),
    ],
)
def test_the_first_free_slug_is_found_or_else_the_last(wanted: list[str], found: str) -> None:
    for slug in ("a", "b"):
        insert(columns(slug), "")
    assert first_free(wanted) == found
