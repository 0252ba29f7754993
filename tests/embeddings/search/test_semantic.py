"""The nearest chunks of a space; test_service.py has whole searches."""

from typing import Any

import numpy as np
import pytest

from articles.filters import EVERYTHING, where
from articles.models import Article
from embeddings.models import Space
from embeddings.search import plans
from embeddings.search.plans import Plan
from embeddings.search.reply import Found
from embeddings.search.semantic import first_plan, nearest, second_plan
from embeddings.storage import ann_index, vectors
from embeddings.storage.vectors import StoredChunk, WireVector
from tests.queueops.factories import make_article, make_space

pytestmark = pytest.mark.django_db


@pytest.fixture
def space() -> Space:
    return make_space()


def wire_vector(*numbers: float) -> WireVector:
    return vectors.to_wire(np.array([[*numbers, *[0.0] * (8 - len(numbers))]], np.float32))[0]


def stored(
    space: Space, title: str, *of_chunks: WireVector, content: str = "0123456789", **fields: Any
) -> Article:
    """An article with these vectors, each of two characters of its content."""
    article = make_article(title, content, **fields)
    rows = [
        StoredChunk(
            article.pk, n, len(of_chunks), 2 * n, 2 * n + 2, bytes([n]) * 16, article.version_number,
            article.content_hash, vector,
        )
        for n, vector in enumerate(of_chunks)
    ]  # fmt: skip
    vectors.replace(space.pk, [article.pk], rows)
    return article


def titles(found: Found) -> list[str]:
    return [hit.title for hit in found.hits]


def test_nothing_is_near_in_an_empty_space(space: Space) -> None:
    assert nearest(space, wire_vector(1), 5) == Found([], "exact")


def test_the_nearest_come_first_with_their_cosine(space: Space) -> None:
    stored(space, "across", wire_vector(0, 1))
    stored(space, "same", wire_vector(2))
    stored(space, "half", wire_vector(1, 1))
    found = nearest(space, wire_vector(1), 5)
    assert titles(found) == ["same", "half", "across"]
    assert [hit.score for hit in found.hits] == pytest.approx([1, 0.707107, 0], abs=1e-5)
    assert titles(nearest(space, wire_vector(1), 2)) == ["same", "half"]


def test_an_article_comes_once_with_its_best_passage(space: Space) -> None:
    stored(space, "one", wire_vector(0, 1), wire_vector(1), wire_vector(1, 1))
    (hit,) = nearest(space, wire_vector(1), 5).hits
    assert (hit.start, hit.end, hit.snippet) == (2, 4, "23")


def test_few_articles_with_many_near_chunks_hide_no_other(space: Space) -> None:
    for n in range(3):
        stored(space, f"crowd {n}", *[wire_vector(1)] * 40)
    stored(space, "far", wire_vector(-1))
    assert titles(nearest(space, wire_vector(1), 4))[-1] == "far"


def test_a_text_without_a_vector_is_found_by_nobody(space: Space) -> None:
    article = make_article("empty", "")
    empty = StoredChunk(article.pk, 0, 0, 0, 0, bytes(16), 1, article.content_hash, None)
    vectors.replace(space.pk, [article.pk], [empty])
    assert nearest(space, wire_vector(1), 5).hits == []
    assert nearest(space, wire_vector(1), 5, where({"none": 1})).hits == []


def test_between_an_edit_and_its_vectors_the_passage_is_of_the_text_that_was_found(space: Space) -> None:
    article = stored(space, "one", wire_vector(1), content="old words")
    article.content = "new"
    article.save()
    (hit,) = nearest(space, wire_vector(1), 5).hits
    assert (hit.snippet, hit.version_number) == ("ol", 1)


def test_another_space_is_not_looked_into(space: Space) -> None:
    other = Space.objects.create(
        version=200, provider="openai", model="m", dimensions=8, chunk_tokens=200, state="building"
    )
    stored(other, "elsewhere", wire_vector(1))
    assert nearest(space, wire_vector(1), 5).hits == []


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        ({"team": "a"}, ["one"]),
        ({"tags": ["x"]}, ["one", "two"]),
        ({"team": "a", "tags": ["x"]}, ["one"]),
        ({"team": "c"}, []),
        ({"it's": '"; DROP TABLE articles; --'}, []),
        ({}, ["one", "two"]),
    ],
)
@pytest.mark.parametrize("most", [0, 5_000])
def test_a_filter_keeps_what_metadata_contains_whichever_way_is_taken(
    space: Space, monkeypatch: pytest.MonkeyPatch, metadata: dict[str, Any], found: list[str], most: int
) -> None:
    monkeypatch.setattr(plans, "EXACT_FILTER_MOST", most)
    stored(space, "one", wire_vector(1), metadata={"team": "a", "tags": ["x", "y"]})
    stored(space, "two", wire_vector(1, 1), metadata={"team": "b", "tags": ["x"]})
    assert titles(nearest(space, wire_vector(1), 5, where(metadata))) == found


@pytest.mark.django_db(transaction=True)
def test_the_plan_depends_on_filter_and_index_and_then_on_what_was_found(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "EXACT_FILTER_MOST", 1)
    monkeypatch.setattr(ann_index, "_REMEMBER_SECONDS", 0)
    filtered = where({"team": "a"})
    assert first_plan(space, EVERYTHING) == Plan.EVERY_VECTOR
    assert first_plan(space, filtered) == Plan.OF_KEPT
    assert second_plan(space, Plan.OF_KEPT, is_short=True, kept=1) is None
    assert second_plan(space, Plan.OF_KEPT, is_short=True, kept=2) == Plan.FILTERED
    ann_index.build(space)
    assert first_plan(space, EVERYTHING) == Plan.INDEX
    assert first_plan(space, filtered) == Plan.OF_KEPT
    assert second_plan(space, Plan.OF_KEPT, is_short=False, kept=2) == Plan.INDEX_FILTERED
    assert second_plan(space, Plan.INDEX, is_short=True, kept=0) == Plan.INDEX_UNTIL_ENOUGH
    assert second_plan(space, Plan.INDEX, is_short=False, kept=0) is None
    ann_index.drop(space)
