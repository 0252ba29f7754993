"""An operation is taken back as far as its tasks have not moved on, and what could not be is counted by reason."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from articles.models import Article
from embeddings.models import Space
from queueops.engine import claims
from queueops.models import AuditLog, Operation, Priority, Status, Task, Verb
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import operations
from queueops.operate.operations import (
    OperationError,
    cancel,
    clear,
    pacing,
    prioritize,
    release,
    requeue,
    sql,
    undo,
    undo_sql,
)
from tests.queueops.factories import make_space, make_tasks, make_worker

pytestmark = pytest.mark.django_db
WHO: Any = {"actor": "ada", "reason": "a mistake"}
FAILED = TaskFilter(statuses=("failed",))
# what a claim and a lease leave behind is not put back, nor when the schedule was written
PASSING = {"claim_token", "claimed_by", "lease_expires_at", "schedule_set_at"}


@pytest.fixture
def space() -> Space:
    return make_space()


def rows() -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if name not in PASSING}
        for row in Task.objects.order_by("pk").values()
    ]


def ends_badly(space: Space, count: int = 3) -> list[Task]:
    return make_tasks(
        count, space, Status.FAILED, attempts=3, error_class="auth", error_message="no key", source_version=1,
        scheduled_at=Now() - timedelta(hours=1), processed_at=Now() - timedelta(minutes=9),
    )  # fmt: skip


ACTS: dict[str, Any] = {
    "cancel": (lambda space: make_tasks(3, space), lambda: cancel(TaskFilter(), **WHO)),
    "requeue": (ends_badly, lambda: requeue(TaskFilter(), **WHO)),
    "prioritize": (
        lambda space: make_tasks(2, space) + make_tasks(1, space, Status.PROCESSING),
        lambda: prioritize(TaskFilter(), Priority.HIGH, **WHO),
    ),
    "clear what has ended": (ends_badly, lambda: clear(FAILED, **WHO)),
    "clear what waits": (lambda space: make_tasks(3, space), lambda: clear(TaskFilter(), **WHO)),
}


@pytest.mark.parametrize("name", ACTS)
def test_an_undo_puts_every_row_back_as_it_was(space: Space, name: str) -> None:
    make, act = ACTS[name]
    make(space)
    before = rows()
    done = act()
    assert rows() != before
    undone = undo(done.pk, **WHO)
    assert (undone.total, undone.changed, undone.skipped) == (3, 3, 0)
    assert rows() == before


@pytest.mark.parametrize("name", ACTS)
def test_an_undo_can_be_undone_and_that_as_well(space: Space, name: str) -> None:
    make, act = ACTS[name]
    make(space)
    before = rows()
    done = act()
    after = rows()
    first = undo(done.pk, **WHO)
    second = undo(first.pk, **WHO)
    assert (second.changed, rows()) == (3, after)
    third = undo(second.pk, **WHO)
    assert (third.changed, rows()) == (3, before)


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_an_undo_works_in_batches_too(space: Space, batch_size: int) -> None:
    make_tasks(5, space)
    done = cancel(TaskFilter(), **WHO)
    assert undo(done.pk, **WHO, batch_size=batch_size).changed == 5


def test_a_task_that_was_in_work_waits_again_and_the_attempt_is_not_charged(
    space: Space, rings: list[bool]
) -> None:
    make_tasks(1, space, Status.PROCESSING, attempts=3)
    undo(cancel(TaskFilter(), **WHO).pk, **WHO)
    task = Task.objects.get()
    assert (task.status, task.attempts, task.claim_token, task.completed_at) == ("pending", 2, None, None)
    assert rings == [True]


def test_of_two_cancelled_tasks_of_an_article_the_one_that_waited_waits_again(space: Space) -> None:
    [waiting] = make_tasks(1, space)
    held = {"claim_token": uuid.uuid4(), "claimed_by": "w", "lease_expires_at": Now() + timedelta(hours=1)}
    Task.objects.create(article=waiting.article, space=space, status="processing", attempts=1, **held)
    undone = undo(cancel(TaskFilter(), **WHO).pk, **WHO)
    assert (undone.changed, undone.skips) == (1, {sql.WAITS_ALREADY: 1})
    assert Task.objects.pending().get() == waiting


def edited_again(task: Task) -> None:
    Task.objects.create(article=task.article, space=task.space)


def requeued_since(task: Task) -> None:
    requeue(TaskFilter(ids=(task.pk,)), **WHO)


def article_deleted(task: Task) -> None:
    Article.objects.filter(pk=task.article_id).delete()


def space_retired(task: Task) -> None:
    type(task.space).objects.update(state="retired")


def changed_by_sql(task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(error_message="looked at by hand")


SINCE_A_CANCEL = [
    (edited_again, sql.WAITS_ALREADY, "cancelled"),
    (requeued_since, undo_sql.CHANGED_SINCE, "pending"),
    (changed_by_sql, undo_sql.CHANGED_SINCE, "cancelled"),
    (space_retired, sql.RETIRED, "cancelled"),
    (article_deleted, undo_sql.TASK_GONE, None),
]


@pytest.mark.parametrize(("happens", "why", "status"), SINCE_A_CANCEL)
def test_a_cancelled_task_that_has_moved_on_stays_as_it_is(
    space: Space, happens: Callable[..., Any], why: str, status: str | None
) -> None:
    [task] = make_tasks(1, space)
    done = cancel(TaskFilter(), **WHO)
    happens(task)
    undone = undo(done.pk, **WHO)
    assert (undone.changed, undone.skipped, undone.skips) == (0, 1, {why: 1})
    assert Task.objects.filter(pk=task.pk).values_list("status", flat=True).first() == status


def test_a_requeued_task_that_a_worker_has_taken_is_left_to_it(space: Space) -> None:
    ends_badly(space, 2)
    done = requeue(TaskFilter(), **WHO)
    worker = make_worker()
    [taken] = claims.claim_due(space, 1, worker.pk, worker.name).tasks
    undone = undo(done.pk, **WHO)
    assert (undone.changed, undone.skips) == (1, {undo_sql.CHANGED_SINCE: 1})
    assert Task.objects.processing().get().pk == taken.task_id


def test_a_requeued_task_that_an_editor_has_joined_keeps_the_new_text(space: Space) -> None:
    [task] = ends_badly(space, 1)
    done = requeue(TaskFilter(), **WHO)
    article = task.article
    article.content = "A newer text."
    article.save()
    assert undo(done.pk, **WHO).skips == {undo_sql.CHANGED_SINCE: 1}
    assert Task.objects.get().status == "pending"


def test_a_task_that_has_ended_meanwhile_keeps_its_priority(space: Space) -> None:
    make_tasks(1, space)
    done = prioritize(TaskFilter(), Priority.HIGH, **WHO)
    Task.objects.update(status="completed", outcome="unchanged", completed_at=Now())
    assert undo(done.pk, **WHO).skips == {undo_sql.CHANGED_SINCE: 1}


@pytest.mark.parametrize("most", [2, 1_000])
def test_a_dry_run_of_an_undo_counts_what_it_would_restore(
    space: Space, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(pacing, "MOST", most)
    moved, *_ = make_tasks(5, space)
    done = cancel(TaskFilter(), **WHO)
    requeued_since(moved)
    before = rows()
    found = operations.preview(Verb.UNDO, TaskFilter(), undoes=done)
    assert (found.total, found.doable, found.skips) == (5, 4, {undo_sql.CHANGED_SINCE: 1})
    assert rows() == before
    assert undo(done.pk, **WHO).skips == found.skips


def test_a_cleared_task_whose_article_is_gone_stays_away(space: Space) -> None:
    gone, stays = ends_badly(space, 2)
    done = clear(FAILED, **WHO)
    article_deleted(gone)
    undone = undo(done.pk, **WHO)
    assert (undone.changed, undone.skips) == (1, {undo_sql.ARTICLE_GONE: 1})
    assert Task.objects.get() == stays


def test_a_cleared_task_keeps_its_id_and_new_ones_get_others(space: Space) -> None:
    [task] = ends_badly(space, 1)
    undo(clear(FAILED, **WHO).pk, **WHO)
    assert Task.objects.get().pk == task.pk
    assert make_tasks(1, space)[0].pk > task.pk


def test_a_second_undo_finds_nothing_to_put_back(space: Space) -> None:
    make_tasks(2, space)
    done = cancel(TaskFilter(), **WHO)
    undo(done.pk, **WHO)
    again = undo(done.pk, **WHO)
    assert (again.changed, again.skips) == (0, {undo_sql.CHANGED_SINCE: 2})


def test_an_undo_says_who_put_a_task_back_and_why(space: Space) -> None:
    [task] = make_tasks(1, space)
    done = cancel(TaskFilter(), **WHO)
    undone = undo(done.pk, actor="bob", reason="ada was wrong")
    entry = AuditLog.objects.get(operation_id=undone.pk, task_id=task.pk)
    assert (entry.message, entry.actor, entry.metadata["reason"]) == (
        "tasks put back",
        "bob",
        "ada was wrong",
    )
    assert Operation.objects.get(undoes=done) == undone


def test_an_operation_that_cannot_be_undone_is_refused_in_a_sentence(space: Space) -> None:
    make_tasks(1, space, Status.PROCESSING)
    released = release(TaskFilter(), **WHO)
    with pytest.raises(OperationError, match="a release cannot be undone"):
        undo(released.pk, **WHO)
    with pytest.raises(OperationError, match="there is no operation"):
        undo(uuid.uuid4(), **WHO)
    begun = operations.begin(Verb.CANCEL, TaskFilter(), **WHO)
    with pytest.raises(OperationError, match="is interrupted: let it end, or stop it, first"):
        undo(begun.pk, **WHO)
    done = operations.carry_out(begun)
    AuditLog.objects.all().delete()
    with pytest.raises(OperationError, match="past their retention"):
        undo(done.pk, **WHO)


def test_the_part_of_a_stopped_operation_that_was_done_is_undone(space: Space) -> None:
    make_tasks(4, space)
    stopped = operations.begin(Verb.CANCEL, TaskFilter(), **WHO)
    operations.carry_out(
        stopped, batch_size=1, progress=lambda done, _: done == 2 and operations.stop(stopped.pk, actor="bob")
    )
    assert Task.objects.pending().count() == 2
    assert undo(stopped.pk, **WHO).changed == 2
    assert Task.objects.pending().count() == 4
