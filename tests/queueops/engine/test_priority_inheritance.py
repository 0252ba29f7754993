"""A superseded task passes its rank on to the task that waits for the same article and space, and to no other.

How a batch does that is tried in test_giving_way.py.
"""

from typing import Any

import pytest
from django.db.models import Value
from django.db.models.functions import Now
from pytest_django import DjangoAssertNumQueries

from embeddings.models import Space
from queueops.engine.priority_inheritance import inherit_rank
from queueops.models import Priority, Status, Task
from tests.queueops.factories import make_space, make_tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def space() -> Space:
    return make_space()


def make_newer(task: Task, priority: str, status: str = "pending", **fields: Any) -> Task:
    """Another task of the same article."""
    given = {"article_id": task.article_id, "space_id": task.space_id} | fields
    return Task.objects.create(**given, slug=task.slug, status=status, priority=priority)


@pytest.mark.parametrize(
    ("own", "successor", "then"),
    [
        ("high", "low", "high"),
        ("high", "normal", "high"),
        ("normal", "low", "normal"),
        ("low", "low", "low"),
        ("low", "high", "high"),
        ("normal", "high", "high"),
    ],
)
def test_the_better_rank_of_the_two_is_kept(space: Space, own: str, successor: str, then: str) -> None:
    [task] = make_tasks(1, space, Status.COMPLETED, priority=own)
    waits = make_newer(task, successor)
    inherit_rank([task.pk])
    waits.refresh_from_db()
    assert waits.priority == then


def test_others_keep_their_rank(space: Space) -> None:
    other_space = Space.objects.create(
        version=101, provider="ollama", model="m", dimensions=8, chunk_tokens=200
    )
    task, stranger = make_tasks(2, space, Status.COMPLETED, priority="high")
    Task.objects.filter(pk=stranger.pk).update(priority=Value("low"))
    kept = [
        make_newer(task, "low", "failed", outcome="failed", completed_at=Now()),
        make_newer(task, "low", space_id=other_space.pk),
        make_newer(stranger, "low"),
    ]
    inherit_rank([task.pk])
    assert {each.priority for each in Task.objects.filter(pk__in=[each.pk for each in kept])} == {"low"}


def test_many_are_raised_by_one_statement_and_none_by_none(
    space: Space, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    tasks = make_tasks(3, space, Status.COMPLETED, priority="high")
    for task in tasks:
        make_newer(task, "low")
    with django_assert_num_queries(0):
        inherit_rank([])
    with django_assert_num_queries(1):
        inherit_rank([task.pk for task in tasks])
    assert set(Task.objects.pending().values_list("priority", flat=True)) == {Priority.HIGH}
