"""The schedule in two processes at once: each step runs once, and running it twice is harmless."""

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from embeddings.models import Space
from queueops.maintenance import drift, schedule
from queueops.maintenance.schedule import MaintenanceResult
from queueops.models import AuditLog, Metric, QueueState, Task, Worker
from tests.concurrently import together
from tests.databases import address_of
from tests.paths import ROOT
from tests.queueops.factories import make_tasks
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
_QUICK = ("--worker-shutdown-timeout=1000", "--skip-logging")
LONG_AGO = Now() - timedelta(days=40)


@pytest.fixture(autouse=True)
def chores(space: Space) -> None:
    """Something of everything that is to be done."""
    QueueState.objects.update(swept_at=None, cleaned_at=None)
    make_tasks(2, space, status="completed", completed_at=LONG_AGO)
    make_tasks(1, space, status="processing", lease_expires_at=LONG_AGO, max_attempts=3)
    Metric.objects.create(timestamp=LONG_AGO, name="old", value=1)


def of_all(kept: list[MaintenanceResult]) -> MaintenanceResult:
    return MaintenanceResult(
        *(sum(values) for values in zip(*(vars(each).values() for each in kept), strict=True))
    )


def test_of_two_that_do_what_is_due_each_thing_is_done_by_one() -> None:
    done = of_all(together(2, schedule.if_due))
    assert (done.returned, done.removed) == (1, 3)
    assert Metric.objects.filter(name="articles").count() == 1


def test_two_that_do_everything_at_once_do_no_harm() -> None:
    done = of_all(together(2, schedule.once))
    assert (done.returned, done.removed) == (1, 3)
    assert Task.objects.filter(status="completed").count() == 0


def test_doing_everything_looks_at_every_article(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tasks(6, space)
    Task.objects.all().delete()
    monkeypatch.setattr(drift, "NEWEST", 1)
    monkeypatch.setattr(drift, "NEXT", 2)
    assert schedule.once().drifted == Task.objects.count() == 9


@pytest.mark.slow
def test_two_worker_processes_do_each_thing_once_and_go_on_doing_it() -> None:
    workers = subprocess.Popen(
        [sys.executable, "manage.py", "rundramatiq", "--processes=2", "--threads=1", *_QUICK],
        cwd=ROOT,
        env=os.environ | worker_settings(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: Worker.objects.count() == 2, 60, "two worker processes")
        wait_until(lambda: not Metric.objects.filter(name="old").exists(), 30, "the cleanup")
        wait_until(lambda: Metric.objects.filter(name="articles").exists(), 30, "a sample")
        wait_until(lambda: AuditLog.objects.filter(category="sweep").exists(), 30, "the sweep")
        first = swept_at()
        wait_until(lambda: swept_at() > first, 30, "a later sweep")
    finally:
        workers.send_signal(signal.SIGTERM)
        workers.wait(30)
    assert AuditLog.objects.filter(category="sweep").count() == 1
    assert Metric.objects.filter(name="articles").count() == 1


def swept_at() -> datetime:
    at = QueueState.objects.get().swept_at
    assert at
    return at


def worker_settings() -> dict[str, str]:
    return {
        "DATABASE_URL": address_of(str(connection.settings_dict["NAME"])),
        "OPENAI_BASE_URL": settings.OPENAI_BASE_URL,  # of the fake provider
        "EMBEDDING_WORKER_INTERVAL": "200",
    }
