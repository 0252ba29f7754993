"""Old rows go, young ones and those that still mean something stay."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from queueops import retention
from queueops.models import AuditLog, Metric, QueueState, Task
from tests.queueops.making import make_space, make_tasks

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=40)


@pytest.fixture(autouse=True)
def rows():
    space = make_space()
    for status in ("completed", "failed", "cancelled"):
        make_tasks(2, space, status=status, completed_at=Now() - LONG_AGO)
    make_tasks(1, space, status="completed", completed_at=Now(), priority="high")
    for age in (LONG_AGO, timedelta(0)):
        AuditLog.objects.create(timestamp=Now() - age, category="engine", message="m")
        Metric.objects.create(timestamp=Now() - age, name="n", value=1)


def test_old_completed_tasks_audit_rows_and_metrics_are_removed():
    assert retention.clean(timedelta(days=30)) == 4
    assert (AuditLog.objects.count(), Metric.objects.count()) == (1, 1)
    assert Task.objects.filter(status="completed").get().priority == "high"


def test_what_was_ended_on_purpose_stays_so_that_it_is_not_begun_again():
    retention.clean(timedelta(days=30))
    assert Task.objects.filter(status__in=["failed", "cancelled"]).count() == 4


def test_it_is_done_once_in_an_interval(settings):
    settings.EMBEDDING_CLEANUP_RETENTION_DAYS = 30
    assert retention.clean_if_leader() == 4
    Metric.objects.create(timestamp=Now() - LONG_AGO, name="n", value=1)
    assert retention.clean_if_leader() == 0
    QueueState.objects.update(cleaned_at=Now() - timedelta(hours=25))
    assert retention.clean_if_leader() == 1
