"""Tasks whose worker is gone or stops return to the queue; those that no worker will ever claim end."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from embeddings.models import Space
from queueops.maintenance import reaper
from queueops.models import AuditLog, Metric, Status, Task
from tests.concurrently import another_session
from tests.queueops.factories import make_article, make_space, make_tasks

pytestmark = pytest.mark.django_db


def expired(count: int, space: Space, **fields: Any) -> list[Task]:
    """Tasks whose lease has ended."""
    past = Now() - timedelta(seconds=1)
    return make_tasks(
        count, space, Status.PROCESSING, **{"lease_expires_at": past, "claimed_by": "worker 7"} | fields
    )


@pytest.mark.parametrize(
    ("fields", "counts", "status", "attempts"),
    [
        ({"attempts": 1}, (1, 0), "pending", 0),
        ({"attempts": 1, "is_alone": True}, (1, 0), "pending", 1),
        ({"attempts": 3, "max_attempts": 3}, (1, 0), "pending", 2),
        ({"attempts": 3, "max_attempts": 3, "is_alone": True}, (0, 1), "failed", 3),
    ],
)
def test_an_attempt_is_charged_only_to_a_task_that_was_alone(
    space: Space, fields: dict[str, Any], counts: tuple[int, int], status: str, attempts: int
) -> None:
    expired(1, space, **fields)
    assert reaper.return_expired() == counts
    task = Task.objects.get()
    assert (task.status, task.attempts, task.error_class) == (status, attempts, "worker_lost")
    assert (task.claim_token, task.lease_expires_at) == (None, None)


def test_a_lease_that_runs_is_left_alone(space: Space) -> None:
    make_tasks(2, space, Status.PROCESSING)
    assert reaper.return_expired() == (0, 0)
    assert not AuditLog.objects.exists()


@pytest.mark.impossible_rows("plain SQL has set a task to processing")
def test_a_task_without_a_lease_is_returned_and_named_without_its_worker(space: Space) -> None:
    make_tasks(1, space, Status.PROCESSING, lease_expires_at=None, claim_token=None, claimed_by="")
    assert reaper.return_expired() == (1, 0)
    assert AuditLog.objects.get().message == "lease of a worker ended; the task is pending now"
    assert not Metric.objects.filter(name="workers_lost").exists()


def test_each_returned_task_has_an_audit_row_and_each_lost_worker_a_metric(space: Space) -> None:
    expired(3, space)
    expired(1, space, priority="high", claimed_by="worker 8", attempts=3, max_attempts=3, is_alone=True)
    assert reaper.return_expired() == (3, 1)
    assert sorted(AuditLog.objects.values_list("level", flat=True)) == ["error", *["warning"] * 3]
    assert sorted(Metric.objects.values_list("labels__claimed_by", "value")) == [
        ("worker 7", 3),
        ("worker 8", 1),
    ]


def test_while_another_process_returns_tasks_nothing_is_done(space: Space) -> None:
    expired(1, space)
    with another_session() as session:
        session.execute("SELECT pg_advisory_xact_lock(hashtext('vectorpress:leases'))")
        assert reaper.return_expired() == (0, 0)
    assert Task.objects.get().status == "processing"
    assert reaper.return_expired() == (1, 0)


def test_the_lock_timeout_is_as_before(space: Space) -> None:
    expired(1, space)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '1234ms'")
        reaper.return_expired()
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("1234ms",)


def test_a_stopping_worker_gives_back_its_own_tasks_at_no_charge(space: Space) -> None:
    make_tasks(2, space, Status.PROCESSING, claimed_by="worker 7")
    make_tasks(1, space, Status.PROCESSING, priority="high", claimed_by="worker 8")
    assert reaper.release_held("worker 7") == 2
    assert sorted(Task.objects.values_list("status", "attempts", "claimed_by")) == [
        ("pending", 0, "worker 7"),
        ("pending", 0, "worker 7"),
        ("processing", 1, "worker 8"),
    ]
    assert reaper.release_held("worker 7") == 0


def test_a_released_task_of_an_article_with_a_newer_one_is_superseded(space: Space) -> None:
    article = make_article()
    Task.objects.update(
        status=Status.PROCESSING, attempts=1, claimed_by="worker 7", lease_expires_at=Now() + timedelta(minutes=1),
        claim_token="0" * 32,
    )  # fmt: skip
    article.content = "Newer."
    article.save()
    assert reaper.release_held("worker 7") == 1
    assert sorted(Task.objects.values_list("status", "outcome")) == [
        ("completed", "superseded"),
        ("pending", ""),
    ]


def test_waiting_tasks_of_a_retired_space_end_with_one_audit_row(space: Space) -> None:
    make_tasks(3, space)
    Space.objects.update(state="retired", retired_at=Now())
    other = make_space(version=101)
    make_tasks(1, other, priority="high")
    assert reaper.end_retired() == 3
    ended = Task.objects.filter(space=space)
    assert set(ended.values_list("status", "outcome", "error_message")) == {
        ("completed", "superseded", "its space was retired")
    }
    assert Task.objects.get(space=other).status == "pending"
    assert AuditLog.objects.get().metadata == {"superseded": 3}


def test_without_a_retired_space_or_without_its_tasks_nothing_is_written(space: Space) -> None:
    make_tasks(1, space)
    assert reaper.end_retired() == 0
    make_tasks(1, space, Status.COMPLETED, priority="high")
    Task.objects.filter(status="pending").delete()
    Space.objects.update(state="retired", retired_at=Now())
    assert reaper.end_retired() == 0
    assert not AuditLog.objects.exists()
