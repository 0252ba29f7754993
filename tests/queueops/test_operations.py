"""What operators do to tasks, and what it leaves behind in the audit log."""

import uuid
from typing import Any

import pytest
from django.db.models.functions import Now

from articles.models import Article
from queueops import operations
from queueops.models import AuditLog, Status, Task
from queueops.operations import ReasonMissing, cancel, requeue
from tests.queueops.making import make_space, make_tasks

pytestmark = pytest.mark.django_db
WHO: Any = {"actor": "ada", "reason": "the provider is back"}


@pytest.fixture
def space():
    return make_space()


def test_a_requeued_task_waits_again_with_all_its_attempts(space, rings):
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
    done = requeue(Task.objects.all(), **WHO)
    task.refresh_from_db()
    assert (done.changed, done.skipped, done.left) == (1, 0, False)
    assert (task.status, task.attempts, task.error_class, task.error_message, task.outcome) == (
        "pending",
        0,
        "",
        "",
        "",
    )
    assert task.completed_at is None
    assert rings == [True]


def test_a_requeued_task_is_about_the_articles_present_text(space):
    [task] = make_tasks(1, space, Status.FAILED, source_version=1)
    Article.objects.update(content="A newer text.", version_number=2)
    requeue(Task.objects.all(), **WHO)
    task.refresh_from_db()
    assert (task.source_version, task.content_hash) == (2, task.article.content_hash)


def test_a_task_whose_article_already_waits_is_skipped_and_counted(space, rings):
    [failed] = make_tasks(1, space, Status.FAILED)
    Task.objects.create(article=failed.article, space=space)
    done = requeue(Task.objects.all(), **WHO)
    failed.refresh_from_db()
    assert (done.changed, done.skipped, failed.status) == (0, 1, "failed")
    assert rings == []


def test_of_two_failures_of_one_article_only_the_newest_waits_again(space):
    [first] = make_tasks(1, space, Status.FAILED)
    second = Task.objects.create(article=first.article, space=space, status=Status.CANCELLED)
    done = requeue(Task.objects.all(), **WHO)
    assert (done.changed, done.skipped) == (1, 1)
    assert Task.objects.pending().get() == second


def test_tasks_of_a_retired_space_stay_as_they_are(space):
    make_tasks(1, space, Status.FAILED)
    type(space).objects.update(state="retired")
    assert requeue(Task.objects.all(), **WHO).skipped == 1


@pytest.mark.parametrize("status", ["pending", "processing", "completed"])
def test_only_failed_and_cancelled_tasks_are_requeued(space, status):
    make_tasks(1, space, status, attempts=1)
    assert requeue(Task.objects.all(), **WHO).changed == 0
    assert Task.objects.get().attempts == 1


@pytest.mark.parametrize("status", ["pending", "processing"])
def test_a_cancelled_task_says_who_cancelled_it_and_why(space, status):
    make_tasks(1, space, status, claim_token=uuid.uuid4(), claimed_by="worker 1")
    done = cancel(Task.objects.all(), **WHO)
    task = Task.objects.get()
    assert (done.changed, task.status, task.claim_token) == (1, "cancelled", None)
    assert task.error_message == "cancelled by ada: the provider is back"
    assert task.completed_at


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_an_ended_task_is_not_cancelled(space, status):
    make_tasks(1, space, status)
    assert cancel(Task.objects.all(), **WHO).changed == 0
    assert Task.objects.get().error_message == ""


@pytest.mark.parametrize("act", [requeue, cancel])
@pytest.mark.parametrize("reason", ["", "   ", "\n\t"])
def test_an_act_without_a_reason_is_refused(space, act, reason):
    make_tasks(1, space, Status.FAILED)
    with pytest.raises(ReasonMissing, match="give a reason"):
        act(Task.objects.all(), actor="ada", reason=reason)
    assert not AuditLog.objects.exists()


def test_an_act_leaves_one_row_for_itself_and_one_for_each_task(space):
    tasks = make_tasks(3, space, Status.FAILED)
    done = requeue(Task.objects.all(), **WHO)
    rows = AuditLog.objects.filter(operation_id=done.id)
    assert {row.task_id for row in rows} == {None, *(task.pk for task in tasks)}
    assert {(row.actor, row.metadata["reason"]) for row in rows} == {("ada", "the provider is back")}
    assert rows.get(task_id=None).metadata["tasks"] == 3


def test_a_reason_is_kept_on_one_line_of_bounded_length(space):
    done = cancel(Task.objects.all(), actor="ada", reason="two\nlines " + "x" * 10_000)
    reason = AuditLog.objects.get(operation_id=done.id).metadata["reason"]
    assert reason.startswith("two lines x")
    assert len(reason) == operations.MAX_REASON


def test_an_act_takes_a_bounded_number_of_tasks_and_says_that_more_are_left(space):
    make_tasks(5, space, Status.FAILED)
    first = requeue(Task.objects.all(), **WHO, limit=3)
    assert (first.changed, first.left) == (3, True)
    second = requeue(Task.objects.all(), **WHO, limit=3)
    assert (second.changed, second.left) == (2, False)


def test_an_act_that_fails_leaves_neither_change_nor_audit(space, monkeypatch):
    make_tasks(2, space, Status.PENDING)

    def refuse(*_, **__):
        raise RuntimeError("disk full")

    monkeypatch.setattr(AuditLog, "write_operation", refuse)
    with pytest.raises(RuntimeError):
        cancel(Task.objects.all(), **WHO)
    assert Task.objects.pending().count() == 2
