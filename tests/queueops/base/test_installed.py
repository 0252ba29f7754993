"""Whether the queue is installed: asked once a second, and taken down before its tables go.

What a site does without it is in tests/test_without_queue.py, and a whole removal in tests/test_removal.py.
"""

from typing import Any, NamedTuple

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from queueops.base import installed

pytestmark = pytest.mark.django_db


class Step(NamedTuple):
    """A migration, as far as a plan's reader looks at it."""

    app_label: str
    name: str


FIRST = Step("queueops", "0001_initial")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is here who must see it first."""
    monkeypatch.setattr(installed, "_UNTIL_ALL_HAVE_SEEN", 0)


def drop_marker() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP VIEW queue_is_installed")


def test_it_is_asked_once_however_often_somebody_wants_to_know(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(1):
        assert all(installed.is_there() for _ in range(100))


def test_a_change_by_this_process_is_seen_once_it_is_forgotten() -> None:
    assert installed.is_there()
    drop_marker()
    assert installed.is_there()
    assert not installed.look()
    installed.forget()
    assert not installed.is_there()


@pytest.mark.parametrize(
    ("plan", "is_up"),
    [
        ([(FIRST, True)], False),
        ([(Step("queueops", "0002_guards"), True), (FIRST, True)], False),
        ([(FIRST, False)], True),
        ([(Step("queueops", "0002_guards"), True)], True),
        ([(Step("articles", "0001_initial"), True)], True),
        ([], True),
    ],
)
def test_it_is_taken_down_before_the_first_migration_is_taken_back_and_only_then(
    plan: Any, is_up: bool
) -> None:
    installed.before_migrate(plan=plan)
    assert installed.look() is is_up
    assert installed.is_there() is is_up


def test_removing_a_missing_marker_is_not_an_error() -> None:
    drop_marker()
    installed.before_migrate(plan=[(FIRST, True)])
    assert not installed.look()


def test_where_the_tables_are_still_there_it_is_put_up_again() -> None:
    drop_marker()
    installed.forget()
    assert not installed.is_there()
    installed.after_migrate()
    assert installed.is_there()
    installed.after_migrate()
    assert installed.look()
