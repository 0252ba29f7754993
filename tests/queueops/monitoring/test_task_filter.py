"""A filter selects the same tasks from every source, and survives a JSON column."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from queueops.models import Status, Task
from queueops.monitoring.task_filter import SelectionError, TaskFilter
from tests.queueops.factories import make_space, make_tasks, now

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
# name → (values of the matching task, filter)
FILTERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "statuses": ({"status": Status.FAILED}, {"statuses": ("failed",)}),
    "error_class": ({"status": Status.FAILED, "error_class": "auth"}, {"error_class": "auth"}),
    "reason": ({"metadata": {"reason": "migration"}}, {"reason": "migration"}),
    "priority": ({"priority": "low"}, {"priority": "low"}),
    "older_than": ({"created_at": Now() - 24 * HOUR}, {"older_than": 2 * HOUR}),
    "newer_than": ({}, {"newer_than": HOUR / 2}),
    "stuck": ({"status": Status.PROCESSING, "lease_expires_at": Now() - HOUR}, {"stuck": True}),
}


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_finds_its_task_alone(name: str) -> None:
    space = make_space()
    has, asked = FILTERS[name]
    make_tasks(2, space, created_at=Now() - HOUR)
    [wanted] = make_tasks(1, space, **{"priority": "high"} | has)
    assert list(TaskFilter(**asked).tasks(now())) == [wanted]


def test_ids_articles_slugs_and_spaces_find_their_task_alone() -> None:
    space = make_space()
    wanted, *_ = make_tasks(3, space)
    by = [
        TaskFilter(ids=(wanted.pk,)),
        TaskFilter(article=wanted.article_id),
        TaskFilter(slug=wanted.article.slug),
    ]
    assert [list(selection.tasks(now())) for selection in by] == [[wanted]] * 3
    assert TaskFilter(space=space.pk).tasks(now()).count() == 3
    assert not TaskFilter(space=space.pk + 1).tasks(now()).exists()
    assert not TaskFilter(ids=()).tasks(now()).exists()


def test_everything_that_is_given_must_fit() -> None:
    space = make_space()
    make_tasks(1, space, Status.FAILED, error_class="auth")
    assert not TaskFilter(statuses=("pending",), error_class="auth").tasks(now()).exists()
    assert TaskFilter().tasks(now()).count() == Task.objects.count()


@pytest.mark.parametrize(
    "selection",
    [
        TaskFilter(),
        TaskFilter(ids=()),
        TaskFilter(ids=(3, 1), statuses=("failed", "cancelled"), error_class="auth", reason="edit"),
        TaskFilter(
            priority="low", older_than=HOUR, newer_than=2 * HOUR, space=4, article=5, slug="s", stuck=True
        ),
    ],
)
def test_a_filter_comes_back_from_json_as_it_was(selection: TaskFilter) -> None:
    assert TaskFilter.from_json(json.loads(json.dumps(selection.as_json()))) == selection


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"statuses": ["lost"]}, "unknown status 'lost'; known: pending, "),
        ({"priority": "urgent"}, "unknown priority 'urgent'; known: low, normal, high"),
        ({"colour": "red"}, "unknown filter 'colour'"),
    ],
)
def test_a_filter_that_means_nothing_is_refused_in_a_sentence(given: dict[str, Any], says: str) -> None:
    with pytest.raises(SelectionError, match=says):
        TaskFilter.from_json(given)


def test_a_filter_says_itself_in_words() -> None:
    found = str(
        TaskFilter(statuses=("failed",), error_class="auth", older_than=HOUR, ids=tuple(range(8)), stuck=True)
    )
    assert (
        found == "ids 0, 1, 2, 3, 4 and 3 more, statuses failed, error class auth, older than 1:00:00, stuck"
    )
