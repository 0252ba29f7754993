"""Coverage is counted anew while that is cheap, and held while it is not."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from embeddings.models import Space
from embeddings.storage import coverage_cache
from embeddings.storage.coverage import Coverage
from tests.concurrently import together
from tests.queueops.factories import make_article, make_space

pytestmark = pytest.mark.django_db


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> Space:
    monkeypatch.setattr(coverage_cache, "_held", {})
    return make_space()


def test_without_a_space_nothing_is_found_or_asked(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert coverage_cache.coverage(None) == Coverage(0, 0)


def test_a_cheap_count_is_always_new(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage_cache, "_CHEAP_SECONDS", 60.0)
    for number in range(3):
        assert coverage_cache.coverage(space).articles == number
        make_article(f"Title {number}")


def test_an_expensive_count_is_cached_for_a_while_and_then_counted_again(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage_cache, "_CHEAP_SECONDS", 0.0)
    monkeypatch.setattr(coverage_cache, "_HELD_FOR", 1e6)
    assert coverage_cache.coverage(space).articles == 0
    make_article()
    with CaptureQueriesContext(connection) as queries:
        assert coverage_cache.coverage(space).articles == 0
    assert len(queries) == 0
    monkeypatch.setattr(coverage_cache, "_held", {space.pk: (0.0, Coverage(0, 0))})  # its time is over
    assert coverage_cache.coverage(space).articles == 1


def test_a_cached_value_of_one_space_is_not_used_for_another(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage_cache, "_held", {space.pk + 1: (float("inf"), Coverage(9, 9))})
    assert coverage_cache.coverage(space) == Coverage(0, 0)


def test_a_count_that_is_kept_waiting_keeps_nobody_else_waiting_for_long(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage_cache, "_WAIT_SECONDS", 0.01)
    with coverage_cache._counting:
        assert coverage_cache.coverage(space) == Coverage(0, 0)
        assert coverage_cache._counting.locked()  # still that of the other


def test_many_who_ask_at_once_get_the_held_answer(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage_cache, "_held", {space.pk: (float("inf"), Coverage(7, 3))})
    assert together(8, lambda: coverage_cache.coverage(space)) == [Coverage(7, 3)] * 8
