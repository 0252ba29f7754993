"""What operators do to tasks, and what it leaves behind in the audit log."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from articles.models import Article
from embeddings.models import Space
from queueops.maintenance import drift
from queueops.models import AuditLog, Operation, Priority, Status, Task, Verb
from queueops.models.audit import MAX_REASON, ReasonMissing
from queueops.models.operation import MOVED_ON
from queueops.monitoring.task_filter import SelectionError, TaskFilter
from queueops.operate import operations
from queueops.operate.operations import cancel, clear, prioritize, release, requeue
from queueops.operate.operations.sql import WAITS_ALREADY
from queueops.operate.operations.statements import ENDED_ON_PURPOSE
from tests.queueops.factories import make_space, make_tasks

pytestmark = pytest.mark.django_db
WHO: Any = {"actor": "ada", "reason": "the provider is back"}


@pytest.fixture
def space() -> Space:
    return make_space()


def test_a_requeued_task_waits_again_with_all_its_attempts(space: Space, rings: list[bool]) -> None:
    [task] = make_tasks(
        1,
        space,
        Status.FAILED,
        attempts=3,
        error_class="auth",
        error_message="no key",
        outcome="failed",
        completed_at=Now(),
    )
    done = requeue(TaskFilter(), **WHO)
    task.refresh_from_db()
    assert (done.changed, done.skipped, done.state) == (1, 0, "done")
    assert (task.status, task.attempts, task.error_class, task.error_message, task.outcome) == (
        "pending",
        0,
        "",
        "",
        "",
    )
    assert task.completed_at is None
    assert rings == [True]


def test_a_requeued_task_is_about_the_articles_present_text(space: Space) -> None:
    [task] = make_tasks(1, space, Status.FAILED, source_version=1)
    Article.objects.update(content="A newer text.", version_number=2)
    requeue(TaskFilter(), **WHO)
    task.refresh_from_db()
    assert (task.source_version, task.content_hash) == (2, task.article.content_hash)


def test_a_task_whose_article_already_waits_is_skipped_and_counted(space: Space, rings: list[bool]) -> None:
    [failed] = make_tasks(1, space, Status.FAILED)
    Task.objects.create(article=failed.article, space=space)
    done = requeue(TaskFilter(), **WHO)
    failed.refresh_from_db()
    assert (done.changed, done.skipped, failed.status) == (0, 1, "failed")
    assert rings == []


def test_of_two_failures_of_one_article_only_the_newest_waits_again(space: Space) -> None:
    [first] = make_tasks(1, space, Status.FAILED)
    second = Task.objects.create(article=first.article, space=space, status=Status.CANCELLED)
    done = requeue(TaskFilter(), **WHO)
    assert (done.changed, done.skipped) == (1, 1)
    assert Task.objects.pending().get() == second


def test_tasks_of_a_retired_space_stay_as_they_are(space: Space) -> None:
    make_tasks(1, space, Status.FAILED)
    type(space).objects.update(state="retired")
    assert requeue(TaskFilter(), **WHO).skipped == 1


@pytest.mark.parametrize("status", ["pending", "processing", "completed"])
def test_only_failed_and_cancelled_tasks_are_requeued(space: Space, status: str) -> None:
    make_tasks(1, space, status, attempts=1)
    assert requeue(TaskFilter(), **WHO).changed == 0
    assert Task.objects.get().attempts == 1


@pytest.mark.parametrize("status", ["pending", "processing"])
def test_a_cancelled_task_says_who_cancelled_it_and_why(space: Space, status: str) -> None:
    make_tasks(1, space, status, claim_token=uuid.uuid4(), claimed_by="worker 1")
    done = cancel(TaskFilter(), **WHO)
    task = Task.objects.get()
    assert (done.changed, task.status, task.claim_token) == (1, "cancelled", None)
    assert task.error_message == "cancelled by ada: the provider is back"
    assert task.completed_at


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_an_ended_task_is_not_cancelled(space: Space, status: str) -> None:
    make_tasks(1, space, status)
    assert cancel(TaskFilter(), **WHO).changed == 0
    assert Task.objects.get().error_message == ""


@pytest.mark.parametrize("act", [requeue, cancel])
@pytest.mark.parametrize("reason", ["", "   ", "\n\t"])
def test_an_act_without_a_reason_is_refused(space: Space, act: Callable[..., Any], reason: str) -> None:
    make_tasks(1, space, Status.FAILED)
    with pytest.raises(ReasonMissing, match="give a reason"):
        act(TaskFilter(), actor="ada", reason=reason)
    assert not AuditLog.objects.exists()


def test_an_act_leaves_one_row_for_itself_and_one_for_each_task(space: Space) -> None:
    tasks = make_tasks(3, space, Status.FAILED)
    done = requeue(TaskFilter(), **WHO)
    rows = AuditLog.objects.filter(operation_id=done.pk)
    assert {row.task_id for row in rows} == {None, *(task.pk for task in tasks)}
    assert {(row.actor, row.metadata["reason"]) for row in rows} == {("ada", "the provider is back")}
    assert rows.get(task_id=None).metadata["tasks"] == 3


def test_a_reason_is_kept_on_one_line_of_bounded_length(space: Space) -> None:
    done = cancel(TaskFilter(), actor="ada", reason="two\nlines " + "x" * 10_000)
    reason = AuditLog.objects.get(operation_id=done.pk).metadata["reason"]
    assert reason.startswith("two lines x")
    assert len(reason) == MAX_REASON


@pytest.mark.parametrize(("status", "after"), [("pending", "cancelled"), ("processing", "cancelled")])
def test_clearing_cancels_what_has_not_ended(space: Space, status: str, after: str) -> None:
    make_tasks(1, space, status)
    assert clear(TaskFilter(), **WHO).changed == 1
    assert Task.objects.get().status == after
    assert Task.objects.get().error_message == "cleared by ada: the provider is back"


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_clearing_removes_what_has_ended_and_writes_down_the_whole_row(space: Space, status: str) -> None:
    [task] = make_tasks(1, space, status, error_message="it said no")
    done = clear(TaskFilter(statuses=(status,)), **WHO)
    assert (done.changed, Task.objects.count()) == (1, 0)
    kept = AuditLog.objects.get(task_id=task.pk).metadata
    assert (kept["before"]["slug"], kept["before"]["error_message"]) == (task.slug, "it said no")
    assert kept["after"] is None


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_clearing_everything_twice_brings_nothing_back_that_was_ended_on_purpose(
    space: Space, status: str
) -> None:
    [task] = make_tasks(1, space, status)
    assert [clear(TaskFilter(), **WHO).skips for _ in range(2)] == [{ENDED_ON_PURPOSE: 1}] * 2
    assert drift.enqueue_drift() == 0
    assert Task.objects.get() == task


def test_clearing_everything_keeps_of_a_text_that_failed_again_only_the_last_word(space: Space) -> None:
    [first] = make_tasks(1, space, Status.FAILED)
    same = {"article": first.article, "slug": first.slug, "space": space, "content_hash": first.content_hash}
    last = Task.objects.create(**same, status="cancelled", completed_at=Now())
    assert clear(TaskFilter(), **WHO).changed == 1
    assert Task.objects.get() == last


def test_clearing_everything_removes_what_failed_over_a_text_that_is_no_more(space: Space) -> None:
    make_tasks(1, space, Status.FAILED)
    Article.objects.update(content="A newer text.")
    make_tasks(1, space, Status.COMPLETED)
    assert clear(TaskFilter(), **WHO).changed == 2
    assert not Task.objects.exists()


def test_what_failed_by_its_id_or_status_is_removed_and_its_text_begun_again(space: Space) -> None:
    [task] = make_tasks(1, space, Status.FAILED)
    assert clear(TaskFilter(ids=(task.pk,)), **WHO).changed == 1
    Article.objects.update(updated_at=Now() - timedelta(hours=1))
    assert drift.enqueue_drift() == 1


def test_tasks_that_were_named_and_cannot_be_had_are_skipped_with_the_reason(space: Space) -> None:
    [waiting] = make_tasks(1, space)
    [done] = make_tasks(1, space, Status.COMPLETED)
    cancelled = cancel(TaskFilter(ids=(waiting.pk, done.pk, 10**9)), **WHO)
    assert (cancelled.total, cancelled.changed, cancelled.skipped) == (3, 1, 2)
    assert cancelled.skips == {
        "completed: only pending or processing tasks can be cancelled": 1, "there is no such task": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "selection", "words"),
    [
        (
            Verb.CANCEL,
            TaskFilter(statuses=("failed",)),
            "failed tasks cannot be cancelled: only pending",
        ),
        (Verb.REQUEUE, TaskFilter(statuses=("failed", "completed")), "completed tasks cannot be requeued"),
        (Verb.CANCEL, TaskFilter(space=10**9), "unknown embedding space 1000000000; known:"),
    ],
)
def test_a_filter_that_no_task_can_fit_is_refused(
    space: Space, verb: Verb, selection: TaskFilter, words: str
) -> None:
    with pytest.raises(SelectionError, match=words):
        operations.begin(verb, selection, **WHO)


def test_clearing_takes_only_what_was_selected(space: Space) -> None:
    make_tasks(1, space)
    [low] = make_tasks(1, space, priority="low", metadata={"reason": "migration"})
    make_tasks(1, space, Status.FAILED)
    assert clear(TaskFilter(statuses=("pending",), reason="migration", priority="low"), **WHO).changed == 1
    low.refresh_from_db()
    assert low.status == "cancelled"
    assert sorted(Task.objects.values_list("status", flat=True)) == ["cancelled", "failed", "pending"]


@pytest.mark.parametrize(
    ("status", "changed"), [("pending", 1), ("processing", 1), ("completed", 0), ("failed", 0)]
)
def test_only_tasks_that_have_not_ended_change_their_priority(
    space: Space, status: str, changed: int
) -> None:
    make_tasks(1, space, status)
    assert prioritize(TaskFilter(), Priority.HIGH, **WHO).changed == changed
    assert Task.objects.get().priority == ("high" if changed else "normal")


def test_a_task_that_has_the_priority_already_is_not_counted(space: Space) -> None:
    make_tasks(2, space, priority="high")
    make_tasks(1, space)
    done = prioritize(TaskFilter(), Priority.HIGH, **WHO)
    assert (done.total, done.changed, done.skipped) == (1, 1, 0)


def test_a_task_in_progress_keeps_its_worker_when_its_priority_changes(space: Space) -> None:
    [task] = make_tasks(1, space, Status.PROCESSING)
    prioritize(TaskFilter(), Priority.HIGH, **WHO)
    assert Task.objects.get().claim_token == task.claim_token


ENDED = {"lease_expires_at": Now() - timedelta(minutes=1)}


@pytest.mark.parametrize(
    ("fields", "status", "attempts"),
    [
        ({}, "pending", 0),  # taken from a worker that lives: the attempt is not charged
        (ENDED, "pending", 0),  # from one that may have died of another text
        (ENDED | {"is_alone": True}, "pending", 1),
        (ENDED | {"is_alone": True, "attempts": 3}, "failed", 3),
        ({"attempts": 3}, "pending", 2),
    ],
)
def test_a_released_task_waits_again_unless_its_attempts_are_spent(
    space: Space, rings: list[bool], fields: dict[str, Any], status: str, attempts: int
) -> None:
    make_tasks(1, space, Status.PROCESSING, **fields)
    assert release(TaskFilter(), **WHO).changed == 1
    task = Task.objects.get()
    assert (task.status, task.attempts, task.claim_token, task.claimed_by) == (status, attempts, None, "")
    assert rings == [True]


def test_of_the_tasks_of_one_article_one_is_released_and_the_others_are_superseded(space: Space) -> None:
    [first] = make_tasks(1, space, Status.PROCESSING, processed_at=Now() - timedelta(minutes=2))
    held = {"claim_token": uuid.uuid4(), "claimed_by": "w", "lease_expires_at": Now() + timedelta(hours=1)}
    newest = Task.objects.create(
        article=first.article, space=space, status="processing", attempts=1, processed_at=Now(), **held
    )
    release(TaskFilter(), **WHO)
    assert Task.objects.pending().get() == newest
    first.refresh_from_db()
    assert (first.status, first.outcome) == ("completed", "superseded")


def test_only_stuck_tasks_are_released_when_that_is_asked(space: Space) -> None:
    make_tasks(1, space, Status.PROCESSING, priority="low", **ENDED)
    make_tasks(1, space, Status.PROCESSING)
    assert release(TaskFilter(stuck=True), **WHO).changed == 1
    assert Task.objects.processing().count() == 1


ACTS = {
    "requeue": Status.FAILED,
    "cancel": Status.PENDING,
    "clear": Status.PENDING,
    "release": Status.PROCESSING,
}


@pytest.mark.parametrize("verb", ACTS)
def test_a_look_counts_and_shows_and_changes_nothing(space: Space, verb: str) -> None:
    tasks = make_tasks(7, space, ACTS[verb])
    make_tasks(1, space, Status.COMPLETED)
    found = operations.preview(Verb(verb), TaskFilter(statuses=(ACTS[verb].value,)))
    assert (found.total, [task.pk for task in found.sample]) == (7, [task.pk for task in tasks[:5]])
    assert Task.objects.filter(status=ACTS[verb]).count() == 7
    assert not AuditLog.objects.exists()
    assert not Operation.objects.exists()


@pytest.mark.parametrize("batch_size", [1, 3, 1000])
def test_counts_are_exact_whatever_the_size_of_batches(space: Space, batch_size: int) -> None:
    tasks = make_tasks(7, space, Status.FAILED)
    for task in tasks[2:4]:
        Task.objects.create(article=task.article, space=space)
    told: list[tuple[int, int]] = []
    done = requeue(
        TaskFilter(), **WHO, batch_size=batch_size, progress=lambda done, of: told.append((done, of))
    )
    assert (done.total, done.changed, done.skipped, done.state) == (7, 5, 2, "done")
    assert done.skips == {WAITS_ALREADY: 2}
    assert told == sorted(told)
    assert told[-1] == (7, 7)
    assert AuditLog.objects.filter(operation_id=done.pk, task_id__isnull=False).count() == 5
    assert done.finished_at


def test_an_operation_about_nothing_is_done_at_once(space: Space) -> None:
    done = cancel(TaskFilter(), **WHO)
    assert (done.total, done.changed, done.state) == (0, 0, "done")


def test_an_operation_keeps_its_filter_as_it_was_given(space: Space) -> None:
    selection = TaskFilter(statuses=("pending",), reason="import", older_than=timedelta(hours=2))
    done = cancel(selection, **WHO)
    assert TaskFilter.from_json(Operation.objects.get(pk=done.pk).scope) == selection
    entry = AuditLog.objects.get(operation_id=done.pk)
    assert entry.metadata["scope"] == {"verb": "cancel", **selection.as_json()}


def test_a_task_that_fails_again_after_it_was_requeued_is_not_requeued_twice(space: Space) -> None:
    make_tasks(4, space, Status.FAILED)
    operation = operations.begin(Verb.REQUEUE, TaskFilter(), **WHO)
    Task.objects.filter(pk=operation.last_id).update(completed_at=Now())  # failed once more since
    done = operations.carry_out(operation)
    assert (done.changed, done.skips) == (3, {MOVED_ON: 1})


def test_tasks_made_since_an_operation_began_are_not_in_it(space: Space) -> None:
    make_tasks(2, space)
    operation = operations.begin(Verb.CANCEL, TaskFilter(), **WHO)
    make_tasks(2, space, priority="high")
    assert operations.carry_out(operation).changed == 2
    assert Task.objects.pending().count() == 2
