"""Articles that a filter keeps, the newest first."""

from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from articles.filters import where
from articles.filters.fields import Field, FieldType
from articles.models import Article
from embeddings.search.listing import PATH, newest
from embeddings.search.snippet import LENGTH

pytestmark = pytest.mark.django_db


@pytest.fixture
def notes(settings: Settings) -> None:
    settings.SEARCH_FILTERS = (Field("user", FieldType.STRING), Field("version", FieldType.NUMBER))
    Article.objects.bulk_create(
        Article(
            slug=f"note-{n}",
            title=f"Note {n}",
            content=f"Text {n}. " * 100,
            metadata={"user": "ab"[n % 2], "version": n},
            created_at=datetime(2026, 1, 1 + n, tzinfo=UTC),
        )
        for n in range(6)
    )


@pytest.mark.usefixtures("notes")
def test_the_newest_come_first_and_no_more_than_k() -> None:
    found = newest(where({"user": "a"}), 10)
    assert [hit.slug for hit in found.hits] == ["note-4", "note-2", "note-0"]
    assert [hit.slug for hit in newest(where({"version": {"$lt": 3}}), 2).hits] == ["note-2", "note-1"]
    assert found.path == PATH


@pytest.mark.usefixtures("notes")
def test_a_hit_shows_how_its_text_begins() -> None:
    hit = newest(where({"version": 3}), 1).hits[0]
    assert hit.snippet == ("Text 3. " * 100)[hit.start : hit.end]
    assert (hit.start, hit.score, hit.version_number) == (0, 1.0, 1)
    assert LENGTH // 2 <= len(hit.snippet) <= LENGTH
    assert hit.metadata == {"user": "b", "version": 3}


def test_a_filter_that_keeps_nothing_lists_nothing() -> None:
    assert newest(where({"user": "nobody"}), 5).hits == []
