"""The verbs that show the queue: what they say to people, and what to scripts."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from embeddings.models import Space
from queueops.models import Metric, QueueState, Status, Task
from queueops.monitoring import health, snapshot
from queueops.monitoring.snapshot import Snapshot
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_space, make_tasks, make_worker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def space() -> Space:
    make_worker()
    return make_space()


def make_failed(count: int, space: Space, **fields: Any) -> list[Task]:
    """Failed tasks; the fields tell their error."""
    return make_tasks(count, space, Status.FAILED, **fields)


def test_status_says_who_works_and_what_waits(space: Space) -> None:
    make_tasks(3, space)
    make_failed(2, space)
    lines = queue_admin("status").out.splitlines()
    assert lines[0] == "Worker Status: Running (1 alive)"
    assert lines[2:6] == ["Queue Statistics:", "  Pending: 3", "  Processing: 0", "  Completed: 0"]
    assert "Health: ok" in lines
    told = queue_admin("status", "--json").json
    assert (told["worker_status"], told["tasks"]["pending"], told["status"]) == ("running", 3, "ok")


def test_status_says_about_where_counting_stops(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queueops.cli.verbs.status.COUNT_LIMIT", 2)
    monkeypatch.setattr(snapshot, "COUNT_LIMIT", 2)
    make_tasks(3, space)
    assert "  Pending: 2 or more" in queue_admin("status").out.splitlines()


WELL: dict[str, Any] = vars(Snapshot(
    mode="queued", mode_in_settings="queued", paused=False, reason="", changed_by="", tasks={}, due=0,
    oldest_due_age=None, expired_leases=0, completed_5m=0, failed_5m=0, completed_1h=0, failed_1h=0, workers_alive=2,
    workers_stopped=0, last_claim_age=None, sweep_age=None, space="s", articles=0, embedded=0,
))  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "word", "note"),
    [
        ({}, "running", "2 alive"),
        ({"workers_stopped": 1}, "running", "2 alive, 1 stopped"),
        ({"workers_alive": 0, "workers_stopped": 2}, "stopped", "2 stopped"),
        ({"workers_alive": 0}, "stopped", "no worker is alive"),
        (
            {"paused": True, "reason": "an upgrade", "changed_by": "ada"},
            "stopped",
            "the queue is paused by ada: an upgrade",
        ),
        ({"mode": "disabled"}, "stopped", "system disabled: nothing is embedded"),
        (
            {"mode": "synchronous"},
            "stopped",
            "synchronous mode: saves embed in the request; workers for what is left over: 2 alive",
        ),
    ],
)
def test_whether_work_is_claimed_has_a_word_and_a_note(changes: dict[str, Any], word: str, note: str) -> None:
    assert health.workers(Snapshot(**WELL | changes)) == (word, note)


def test_stats_show_priorities_errors_and_durations(space: Space) -> None:
    make_tasks(2, space, priority="low")
    make_tasks(1, space, priority="high")
    make_failed(2, space, error_class="too_long")
    took = {"processed_at": Now() - timedelta(seconds=4), "completed_at": Now()}
    make_tasks(2, space, Status.COMPLETED, **took)
    told = queue_admin("stats", "--json").json
    assert told["pending_by_priority"] == {"high": 1, "normal": 0, "low": 2}
    assert told["failed_by_error"] == {"too_long": 2}
    assert told["seconds_per_task"] == {"tasks": 2, "average": 4.0, "p50": 4.0, "p95": 4.0}
    said = queue_admin("stats").out
    assert "high 1, low 2" in said
    assert "average 4.000" in said


def test_metrics_show_each_number_over_the_span_and_the_newest_of_older_ones() -> None:
    for value, minutes in ((1.0, 0), (3.0, 5), (100.0, 90)):
        Metric.objects.create(name="batch_seconds", value=value, timestamp=Now() - timedelta(minutes=minutes))
    Metric.objects.create(name="old", value=7, timestamp=Now() - timedelta(days=3))
    measured = {course["name"]: course for course in queue_admin("metrics", "--json").json["measured"]}
    assert {k: v for k, v in measured["batch_seconds"].items() if k not in {"name", "last_at"}} == {
        "samples": 2, "average": 2.0, "least": 1.0, "most": 3.0, "sum": 4.0, "last": 1.0,
    }  # fmt: skip
    assert (measured["old"]["samples"], measured["old"]["last"]) == (0, 7)
    wider = queue_admin("metrics", "--minutes=120", "--json").json
    assert wider["minutes"] == 120
    assert {c["name"]: c["samples"] for c in wider["measured"]} == {"batch_seconds": 3, "old": 0}


def test_metrics_have_every_number_of_the_snapshot(space: Space) -> None:
    make_tasks(1, space)
    now = queue_admin("metrics", "--json").json["now"]
    assert (now["tasks_pending"], now["due"], now["coverage"]) == (1, 1, 0.0)
    assert "paused" not in now


def test_a_pause_is_seen_in_the_status() -> None:
    QueueState.objects.update(is_paused=True, reason="an upgrade", changed_by="ada")
    assert queue_admin("status").out.startswith(
        "Worker Status: Stopped (the queue is paused by ada: an upgrade)"
    )
