"""Spaces: which serves, which receive, and what the database holds them to."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from embeddings.models import ArticleEmbedding, KeptVector, Space
from tests.queueops.factories import make_space

pytestmark = pytest.mark.django_db


def another(**fields: Any) -> Space:
    given = {"version": 200, "provider": "openai", "model": "m", "dimensions": 8, "chunk_tokens": 200}
    return Space.objects.create(**{**given, "state": "building", **fields})


def test_without_a_serving_space_there_is_none() -> None:
    Space.objects.all().delete()
    assert Space.objects.serving() is None
    another(state="ready")
    assert Space.objects.serving() is None


def test_the_serving_space_is_whole_and_can_be_saved() -> None:
    made = make_space()
    found = Space.objects.serving()
    assert found == made
    assert found
    assert found.get_deferred_fields() == set()
    found.model = "renamed"
    found.save()
    assert Space.objects.get(pk=made.pk).model == "renamed"


def test_every_living_space_receives_the_serving_one_first() -> None:
    serving = make_space(version=300)
    another(state="retired", version=1)
    building = another(version=2)
    assert list(Space.objects.receiving()) == [serving, building]


@pytest.mark.parametrize(
    "fields",
    [{"dimensions": 0}, {"dimensions": 16_001}, {"state": "odd"}, {"version": 100}, {"state": "serving"}],
)
def test_the_database_refuses_a_space_that_cannot_be(fields: dict[str, Any]) -> None:
    make_space()
    with pytest.raises(IntegrityError), transaction.atomic():
        another(**fields)


def test_one_space_is_built_at_a_time() -> None:
    make_space()
    another(state="ready")
    with pytest.raises(IntegrityError), transaction.atomic():
        another(version=201)
    another(version=202, state="retired")


def test_a_space_on_standby_receives_before_one_that_is_built_and_beside_it() -> None:
    serving = make_space()
    building = another(version=1)
    standby = another(version=2, state="standby")
    assert list(Space.objects.receiving()) == [serving, standby, building]
    assert [space.is_built for space in (serving, standby, building)] == [False, False, True]
    assert Space.objects.serving() == serving


def test_rows_are_named_for_people() -> None:
    assert str(Space(provider="openai", model="m", version=3)) == "openai/m v3"
    assert "7" in str(ArticleEmbedding(chunk_index=7, article_id=1, space_id=2))
    assert "9" in str(KeptVector(article_id=9, space_id=2))
