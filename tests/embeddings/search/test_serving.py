"""The space that answers searches: remembered for a second, and never older than this process's own changes."""

import pytest
from django.db import connection

from embeddings.models import Space, SpaceState
from embeddings.search import serving
from lib.timed_cache import TimedCache
from tests.queueops.factories import make_space

pytestmark = pytest.mark.django_db


def queries_of(number: int) -> int:
    """How many statements so many questions send."""
    before = len(connection.queries_log)
    connection.force_debug_cursor = True
    try:
        for _ in range(number):
            serving.space()
        return len(connection.queries_log) - before
    finally:
        connection.force_debug_cursor = False


def test_the_database_is_asked_once_for_many_searches() -> None:
    space = make_space()
    assert queries_of(20) == 1
    assert serving.space() == space


def test_a_change_made_here_holds_at_once() -> None:
    space = make_space()
    assert serving.space() == space
    space.state = SpaceState.STANDBY
    space.save()
    assert serving.space() is None
    other = make_space(version=101)
    assert serving.space() == other
    other.delete()
    assert serving.space() is None


def test_a_change_made_elsewhere_holds_when_the_second_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    brief: TimedCache[Space | None] = TimedCache(Space.objects.serving, 0)
    monkeypatch.setattr(serving, "_known", brief)
    space = make_space()
    assert serving.space() == space
    with connection.cursor() as cursor:
        cursor.execute("UPDATE embedding_spaces SET state = 'standby' WHERE id = %s", [space.pk])
    assert serving.space() is None


def test_it_is_believed_for_a_second() -> None:
    assert serving.SECONDS == 1.0
