"""Articles and versions as the API answers them; lists read no content."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from articles.api import replies
from articles.models import Article, ArticleVersion

pytestmark = pytest.mark.django_db
EMBEDDING: Any = {"state": "embedded", "space": "a/b v1", "source_version": 1, "chunks": 2}


@pytest.fixture
def article() -> Article:
    made = Article(title="Title", content="The text.", metadata={"a": 1})
    made.save()
    return made


def test_an_article_in_a_list_is_all_but_its_content(
    article: Article, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    row = Article.objects.defer("content").get()
    with django_assert_num_queries(0):
        found = replies.summary(row, EMBEDDING)
    assert "content" not in found
    assert (found["slug"], found["metadata"], found["version_number"]) == ("title", {"a": 1}, 1)
    assert found["embedding"] is EMBEDDING
    assert found["created_at"] == article.created_at


def test_an_article_by_itself_has_its_content_too(article: Article) -> None:
    assert replies.full(article, EMBEDDING) == {**replies.summary(article, EMBEDDING), "content": "The text."}


def test_who_may_write_and_not_read_sees_nothing_of_the_text(article: Article) -> None:
    told = str(replies.written(article))
    assert "The text." not in told
    assert "Title" not in told
    assert replies.written(article)["slug"] == "title"


def test_a_version_in_a_list_is_all_but_its_content(
    article: Article, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    row = ArticleVersion.objects.defer("content").get()
    with django_assert_num_queries(0):
        found = replies.version_summary(row)
    assert (found["version_number"], found["title"]) == (1, "Title")
    assert "content" not in found
    assert replies.full_version(ArticleVersion.objects.get()) == {**found, "content": "The text."}
