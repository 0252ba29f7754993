"""Tasks named by their ids that an act cannot be done to, and filters that no task can fit, each with the reason."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from embeddings.models import Space
from queueops.models import Operation, Status, Verb
from queueops.monitoring.task_filter import SelectionError, TaskFilter
from queueops.operate.operations import eligibility
from queueops.operate.operations.eligibility import NO_SUCH_TASK, NOT_FITTING
from tests.queueops.factories import make_space, make_tasks, now

pytestmark = pytest.mark.django_db


@pytest.fixture
def space() -> Space:
    return make_space()


def left_out(verb: Verb, selection: TaskFilter, **fields: Any) -> dict[int, str]:
    return eligibility.left_out(Operation(verb=verb, scope=selection.as_json(), started_at=now(), **fields))


@pytest.mark.parametrize("verb", [Verb.REQUEUE, Verb.CANCEL, Verb.CLEAR])
def test_where_no_ids_were_named_nothing_is_left_out(
    space: Space, verb: Verb, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_tasks(2, space, Status.COMPLETED)
    operation = Operation(verb=verb, scope=TaskFilter(statuses=("failed",)).as_json())
    with django_assert_num_queries(0):
        assert eligibility.left_out(operation) == {}


def test_each_named_task_that_is_left_out_says_why(space: Space) -> None:
    by_status = {status: make_tasks(1, space, status)[0].pk for status in Status.values}
    why = left_out(Verb.CANCEL, TaskFilter(ids=(*by_status.values(), 10**9)))
    assert why.keys() == {by_status[each] for each in ("completed", "failed", "cancelled")} | {10**9}
    assert why[10**9] == NO_SUCH_TASK
    assert "failed" in why[by_status["failed"]]
    assert "pending or processing" in why[by_status["failed"]]


def test_one_that_the_other_filters_leave_out_says_so(space: Space) -> None:
    [fits] = make_tasks(1, space, Status.FAILED, error_class="auth")
    [other] = make_tasks(1, space, Status.FAILED, error_class="transient", priority="low")
    assert left_out(Verb.REQUEUE, TaskFilter(ids=(fits.pk, other.pk), error_class="auth")) == {
        other.pk: NOT_FITTING
    }


def test_a_task_that_has_the_priority_already_is_reported_so(space: Space) -> None:
    [task] = make_tasks(1, space, priority="high")
    assert left_out(Verb.PRIORITIZE, TaskFilter(ids=(task.pk,)), priority="high") == {task.pk: NOT_FITTING}
    assert left_out(Verb.PRIORITIZE, TaskFilter(ids=(task.pk,)), priority="low") == {}


@pytest.mark.parametrize(
    ("verb", "status"),
    [
        (Verb.REQUEUE, "pending"),
        (Verb.REQUEUE, "completed"),
        (Verb.CANCEL, "failed"),
        (Verb.PRIORITIZE, "cancelled"),
        (Verb.RELEASE, "pending"),
    ],
)
def test_a_status_that_a_verb_is_not_for_is_refused(verb: Verb, status: str) -> None:
    with pytest.raises(SelectionError, match=f"{status} tasks cannot be {verb.acted}"):
        eligibility.refuse_contradictions(verb, TaskFilter(statuses=(status,)))


def test_one_wrong_status_among_right_ones_is_refused_too() -> None:
    with pytest.raises(SelectionError, match="pending"):
        eligibility.refuse_contradictions(Verb.REQUEUE, TaskFilter(statuses=("failed", "pending")))


def test_an_unknown_space_is_refused_with_those_there_are(space: Space) -> None:
    with pytest.raises(SelectionError, match=f"known: {space.pk}"):
        eligibility.refuse_contradictions(Verb.CANCEL, TaskFilter(space=space.pk + 1))
    type(space).objects.all().delete()
    with pytest.raises(SelectionError, match="known: none"):
        eligibility.refuse_contradictions(Verb.CANCEL, TaskFilter(space=1))


@pytest.mark.parametrize(
    "selection",
    [
        TaskFilter(),
        TaskFilter(statuses=("failed", "cancelled")),
        TaskFilter(ids=(10**9,)),
        TaskFilter(error_class="auth"),
        TaskFilter(reason="import"),
    ],
)
def test_what_a_task_may_fit_is_taken(selection: TaskFilter) -> None:
    eligibility.refuse_contradictions(Verb.REQUEUE, selection)
