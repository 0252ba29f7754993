"""A task's row: what each set of tasks has, and what the database refuses whoever writes it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from embeddings.models import Space
from queueops.models import Status, Task
from tests.queueops.factories import make_space, make_tasks

PAST, FUTURE = Now() - timedelta(minutes=1), Now() + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [({}, ""), ({"reason": "edit"}, "edit"), ({"reason": 5}, "5"), ({"failed_attempts": []}, "")],
)
def test_a_task_says_why_it_was_made(metadata: dict[str, Any], reason: str) -> None:
    assert Task(metadata=metadata).reason == reason


@pytest.fixture
def space(db: None) -> Space:
    return make_space()


def test_each_set_has_its_tasks_and_no_others(space: Space) -> None:
    by_status = {status.value: make_tasks(1, space, status)[0] for status in Status}
    waits = make_tasks(1, space, priority="high", scheduled_at=FUTURE)[0]
    lost = make_tasks(1, space, Status.PROCESSING, priority="high", lease_expires_at=PAST)[0]
    tasks = Task.objects
    assert set(tasks.pending()) == {by_status["pending"], waits}
    assert set(tasks.due()) == {by_status["pending"]}
    assert set(tasks.processing()) == {by_status["processing"], lost}
    assert set(tasks.expired()) == {lost}
    assert set(tasks.live()) == {by_status["pending"], waits, by_status["processing"], lost}
    assert set(tasks.failed()) == {by_status["failed"]}
    assert list(tasks.newest_first()) == sorted(tasks.all(), key=lambda task: -task.pk)


@pytest.mark.parametrize(("priority", "rank"), [("high", 1), ("normal", 2), ("low", 3)])
def test_the_database_gives_each_priority_its_rank(space: Space, priority: str, rank: int) -> None:
    [task] = make_tasks(1, space, priority=priority)
    assert Task.objects.get(pk=task.pk).priority_rank == rank


def test_a_row_of_plain_sql_needs_an_article_and_a_space_alone(space: Space) -> None:
    [made] = make_tasks(1, space, Status.COMPLETED)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO embedding_tasks (article_id, space_id) VALUES (%s, %s)", [made.article_id, space.pk]
        )
    task = Task.objects.pending().get()
    assert (task.priority, task.attempts, task.max_attempts, task.slug, task.metadata) == (
        "normal",
        0,
        3,
        "",
        {},
    )
    assert Task.objects.due().exists()


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"status": "done"}, "known_status"),
        ({"status": ""}, "known_status"),
        ({"priority": "urgent"}, "known_priority"),
        ({"attempts": -1}, "attempts"),
    ],
)
def test_the_database_refuses_words_that_there_are_not(
    space: Space, changes: dict[str, Any], constraint: str
) -> None:
    make_tasks(1, space)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Task.objects.update(**changes)
