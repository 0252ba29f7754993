"""The check of the invariants: which are asked, what a breach says, and that asking changes nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from embeddings.models import Space
from queueops.models import Status, Task
from queueops.monitoring import invariant_check
from queueops.monitoring.invariant_check import Breach
from queueops.monitoring.invariants import INVARIANTS, Invariant
from tests.queueops.factories import make_tasks

MADE_UP = Invariant("made_up", "A row is wrong.", "SELECT 1")


@pytest.mark.parametrize(
    ("rows", "is_cut", "count"), [(1, False, "1"), (100, False, "100"), (100, True, "100 or more")]
)
def test_a_breach_says_how_many_rows_and_shows_the_first(rows: int, is_cut: bool, count: str) -> None:
    breach = Breach(MADE_UP, [{"task": number} for number in range(rows)], is_cut)
    assert breach.count == count
    assert str(breach) == f"made_up ({count}): A row is wrong. First: {{'task': 0}}"


def test_at_rest_more_must_hold() -> None:
    always, at_rest = invariant_check.asked(False), invariant_check.asked(True)
    assert at_rest == list(INVARIANTS)
    assert 0 < len(always) < len(at_rest)
    assert not [invariant.name for invariant in always if invariant.at_rest]


def test_every_invariant_has_a_name_of_its_own_and_a_meaning() -> None:
    assert len({invariant.name for invariant in INVARIANTS}) == len(INVARIANTS)
    assert all(invariant.meaning.endswith(".") for invariant in INVARIANTS)


@pytest.mark.django_db
def test_rows_that_are_right_break_nothing(space: Space) -> None:
    make_tasks(3, space)
    make_tasks(2, space, Status.PROCESSING)
    assert invariant_check.broken(at_rest=False) == []


@pytest.mark.django_db
def test_work_under_way_is_a_breach_only_of_rest(space: Space) -> None:
    make_tasks(1, space, Status.PROCESSING)
    assert invariant_check.broken(at_rest=False) == []
    assert {breach.invariant.at_rest for breach in invariant_check.broken(at_rest=True)} == {True}


@pytest.mark.django_db
@pytest.mark.impossible_rows("a lease without a holder, many times")
@pytest.mark.parametrize(("rows", "found", "is_cut"), [(1, 1, False), (100, 100, False), (101, 100, True)])
def test_of_many_rows_the_first_hundred_are_returned(
    space: Space, rows: int, found: int, is_cut: bool
) -> None:
    make_tasks(rows, space, Status.PROCESSING, claimed_by="")
    [breach] = invariant_check.broken(at_rest=False)
    assert breach.invariant.name == "processing_is_leased"
    assert (len(breach.rows), breach.is_cut) == (found, is_cut)


@pytest.mark.django_db
def test_asking_leaves_the_session_and_the_transaction_as_they_were(space: Space) -> None:
    make_tasks(1, space)
    before = settings_of_the_session()
    invariant_check.broken(at_rest=True)
    assert settings_of_the_session() == before
    Task.objects.update(priority="high")  # the transaction can still write
    assert Task.objects.get().priority == "high"


def settings_of_the_session() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, setting FROM pg_settings WHERE name IN ('enable_nestloop', 'enable_indexscan', 'work_mem')"
            " ORDER BY name"
        )
        return list(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_one_read_only_snapshot_is_judged(space: Space) -> None:
    make_tasks(1, space)
    statements: list[str] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        statements.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert invariant_check.broken(at_rest=False) == []
    assert statements[0] == "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
    assert len(statements) == 2
    assert not connection.in_atomic_block
