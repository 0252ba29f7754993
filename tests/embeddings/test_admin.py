"""Spaces and vectors in the admin are looked at, and no vector is loaded."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from articles.models import Article
from embeddings.admin import ArticleEmbeddingAdmin, SpaceAdmin
from embeddings.models import ArticleEmbedding, Space
from tests.queueops.factories import make_article, make_space

PAGE = ArticleEmbeddingAdmin(ArticleEmbedding, admin.site)


@pytest.mark.parametrize(
    ("index", "count", "shown"), [(0, 0, "nothing to embed"), (0, 1, "1 of 1"), (4, 12, "5 of 12")]
)
def test_a_chunk_is_counted_as_people_count(index: int, count: int, shown: str) -> None:
    assert PAGE.chunk(ArticleEmbedding(chunk_index=index, chunk_count=count)) == shown


def test_an_address_hides_nothing() -> None:
    row = ArticleEmbedding(article=Article(pk=1, slug="a\u202eb"))
    assert "\u202e" not in PAGE.slug(row)


@pytest.mark.parametrize("page", [PAGE, SpaceAdmin(Space, admin.site)])
def test_only_the_system_writes_them(page: ArticleEmbeddingAdmin | SpaceAdmin) -> None:
    request: Any = SimpleNamespace(user=SimpleNamespace(is_superuser=True))
    assert not page.has_add_permission(request)
    assert not page.has_change_permission(request)
    assert not page.has_delete_permission(request)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("term", "number"), [("", 2), ("zip", 1), ("zip-files", 1), ("files", 0), ("%", 0), ("'", 0)]
)
def test_an_article_is_found_by_the_beginning_of_its_slug(term: str, number: int) -> None:
    space = make_space()
    for title in ("Zip files", "Other"):
        article = make_article(title)
        ArticleEmbedding.objects.create(
            article=article, space=space, chunk_index=0, chunk_count=0, span=(0, 0), text_hash=bytes(16),
            source_version=1, source_hash=article.content_hash,
        )  # fmt: skip
    request: Any = RequestFactory().get("/")
    request.resolver_match = None
    with CaptureQueriesContext(connection) as queries:
        rows, doubles = PAGE.get_search_results(request, PAGE.get_queryset(request), term)
        assert (len(rows), doubles) == (number, False)
    assert not [query for query in queries if '"embedding"' in query["sql"] or '"content"' in query["sql"]]
