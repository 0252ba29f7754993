"""The verbs that do by hand what the schedule does."""

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django import Settings

from embeddings.models import Space
from queueops.engine import worker_loss
from queueops.models import AuditLog, Metric, Status, Task
from tests.queueops.cli_runner import Terminal, queue_admin
from tests.queueops.factories import make_space, make_tasks, make_worker

LONG_AGO = timedelta(days=40)


@pytest.fixture(autouse=True)
def space(db: None) -> Space:
    make_worker()
    return make_space()


@pytest.fixture
def old(space: Space) -> None:
    make_tasks(3, space, Status.COMPLETED, completed_at=Now() - LONG_AGO)
    Metric.objects.create(timestamp=Now() - LONG_AGO, name="n", value=1)


def test_cleanup_removes_what_is_old_and_writes_down_who_did_it(old: None) -> None:
    called = queue_admin("cleanup", "--days=30", "--actor=ada", "--json")
    assert {k: v for k, v in called.json.items() if k != "operation"} == {
        "days": 30, "dry_run": False, "tasks": 3, "audit_rows": 0, "metrics": 1,
    }  # fmt: skip
    row = AuditLog.objects.get()
    assert (row.actor, str(row.operation_id)) == ("ada", called.json["operation"])
    assert row.metadata["scope"] == {"verb": "cleanup", "days": 30, "tasks": 3, "audit_rows": 0, "metrics": 1}


def test_cleanup_keeps_for_as_long_as_the_settings_say(old: None, settings: Settings) -> None:
    settings.EMBEDDING_CLEANUP_RETENTION_DAYS = 50
    assert queue_admin("cleanup").out == "Nothing is older than 50 days.\n"
    settings.EMBEDDING_CLEANUP_RETENTION_DAYS = 20
    assert queue_admin("cleanup").out.startswith("Removed 3 completed tasks, 0 audit rows and 1 metrics")


def test_a_dry_run_of_the_cleanup_removes_nothing(old: None) -> None:
    called = queue_admin("cleanup", "--days=30", "--dry-run")
    assert called.out.startswith("This would remove 3 completed tasks")
    assert queue_admin("cleanup", "--days=30", "--dry-run", "--json").json["tasks"] == 3
    assert (Task.objects.count(), Metric.objects.count(), AuditLog.objects.count()) == (3, 1, 0)


def test_a_person_is_asked_before_the_cleanup(old: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    monkeypatch.setattr(sys, "stderr", Terminal())
    called = queue_admin("cleanup", "--days=30")
    assert (called.code, called.sentence) == (3, "nothing was changed")
    assert Task.objects.count() == 3


def test_a_cleanup_that_is_stopped_half_way_is_written_down(old: None) -> None:
    def stop_at_the_second(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        if "DELETE FROM embedding_audit_logs" in sql:
            raise KeyboardInterrupt
        return execute(sql, params, many, context)

    with connection.execute_wrapper(stop_at_the_second):
        assert queue_admin("cleanup", "--days=30").code == 130
    assert AuditLog.objects.get().metadata["scope"]["tasks"] == 3
    assert Metric.objects.exists()


def test_maintenance_once_sweeps_cleans_and_samples(space: Space, old: None) -> None:
    lost = {"lease_expires_at": Now() - timedelta(seconds=1), "processed_at": Now()}
    make_tasks(1, space, Status.PROCESSING, **lost)
    told = queue_admin("maintenance", "--once", "--json").json
    assert (told["returned"], told["removed"]) == (1, 4)
    assert told["sampled"] == Metric.objects.exclude(name=worker_loss.METRIC).count()
    assert "4 old rows" not in queue_admin("maintenance", "--once").out
