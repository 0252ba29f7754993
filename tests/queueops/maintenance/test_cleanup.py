"""Old rows are removed; recent ones and those still in use stay."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from queueops.maintenance import cleanup
from queueops.maintenance.cleanup import Removed
from queueops.models import AuditLog, Metric, QueueState, Task
from tests.concurrently import another_session
from tests.queueops.factories import make_space, make_tasks, plan_of

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=40)


@pytest.fixture(autouse=True)
def rows() -> None:
    space = make_space()
    for status in ("completed", "failed", "cancelled"):
        make_tasks(2, space, status=status, completed_at=Now() - LONG_AGO)
    make_tasks(1, space, status="completed", completed_at=Now(), priority="high")
    for age in (LONG_AGO, timedelta(0)):
        AuditLog.objects.create(timestamp=Now() - age, category="engine", message="m")
        Metric.objects.create(timestamp=Now() - age, name="n", value=1)


def test_old_completed_tasks_audit_rows_and_metrics_are_removed() -> None:
    assert cleanup.clean(timedelta(days=30)) == Removed(tasks=2, audit_rows=1, metrics=1)
    assert (AuditLog.objects.count(), Metric.objects.count()) == (1, 1)
    assert Task.objects.filter(status="completed").get().priority == "high"


def test_what_was_ended_on_purpose_stays_so_that_it_is_not_begun_again() -> None:
    cleanup.clean(timedelta(days=30))
    assert Task.objects.filter(status__in=["failed", "cancelled"]).count() == 4


@pytest.mark.django_db(transaction=True)
def test_a_task_that_somebody_is_changing_is_left_for_the_next_time() -> None:
    locked = Task.objects.filter(status="completed").earliest("pk")
    with another_session() as other:
        other.execute("SELECT FROM embedding_tasks WHERE id = %s FOR UPDATE", [locked.pk])
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1s'")
            assert cleanup.clean(timedelta(days=30)).tasks == 1
    assert cleanup.clean(timedelta(days=30)).tasks == 1


def test_it_is_done_once_in_an_interval(settings: Settings) -> None:
    settings.EMBEDDING_CLEANUP_RETENTION_DAYS = 30
    assert cleanup.clean_if_leader() == 4
    Metric.objects.create(timestamp=Now() - LONG_AGO, name="n", value=1)
    assert cleanup.clean_if_leader() == 0
    QueueState.objects.update(cleaned_at=Now() - timedelta(hours=25))
    assert cleanup.clean_if_leader() == 1


def test_what_is_left_when_the_time_is_over_goes_a_minute_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "_SECONDS_MOST", 0)
    assert cleanup.clean_if_leader() == 2  # the first batch: the tasks
    assert cleanup.clean_if_leader() == 0
    QueueState.objects.update(cleaned_at=F("cleaned_at") - timedelta(minutes=1))
    monkeypatch.undo()
    assert cleanup.clean_if_leader() == 2
    assert cleanup.clean_if_leader() == 0


def test_what_a_leader_that_died_has_left_is_begun_again_a_minute_later() -> None:
    with connection.cursor() as cursor:
        cursor.execute(cleanup._LEAD, {"hours": 24})  # and there it ends
    assert cleanup.clean_if_leader() == 0
    QueueState.objects.update(cleaned_at=F("cleaned_at") - timedelta(minutes=1))
    assert cleanup.clean_if_leader() == 4


def test_what_is_past_its_time_is_counted_without_being_touched() -> None:
    assert cleanup.past(timedelta(days=30)) == Removed(tasks=2, audit_rows=1, metrics=1)
    assert cleanup.past(timedelta(days=50)) == Removed()
    assert Task.objects.filter(status="completed").count() == 3


def test_it_goes_on_batch_by_batch_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "_MOST", 1)
    monkeypatch.setattr(cleanup, "_LEAST", 1)
    for number in range(3):
        Metric.objects.create(timestamp=Now() - LONG_AGO, name=f"n{number}", value=1)
    assert cleanup.clean(timedelta(days=30)) == Removed(tasks=2, audit_rows=1, metrics=4)


@pytest.mark.parametrize(
    ("size", "seconds", "next_size"),
    [(2_000, 0.05, 2_000), (2_000, 0.2, 1_000), (2_000, 10.0, 100), (100, 0.01, 1_000), (100, 0.0, 2_000)],
)
def test_a_statement_that_took_long_makes_the_next_one_smaller(
    size: int, seconds: float, next_size: int
) -> None:
    assert cleanup.next_size(size, seconds) == next_size


def test_old_metrics_are_found_by_their_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = plan_of(cleanup._DELETES["metrics"], {"age": 60, "batch": 10})
    assert "Seq Scan on performance_metrics" not in plan, plan
