"""Why a task is not running: a table of cases, one sentence each."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from queueops.models import Mode
from queueops.monitoring.why_not_running import Blockers, TaskFacts, why

NOW = datetime(2026, 11, 22, tzinfo=UTC)
RUNNING = Blockers(Mode.QUEUED, is_paused=False, reason="")
OUT = "The provider a has not responded for 5 min; next attempt in 12 s."
SPENT = "Today's token budget for a is spent; the backfill waits until midnight UTC."


def task(status: str = "pending", **fields: Any) -> TaskFacts:
    defaults: dict[str, Any] = {
        "id": 7, "attempts": 0, "max_attempts": 3, "created_at": NOW, "scheduled_at": NOW, "seconds_to_attempt": -1.0,
        "error_class": "", "error_message": "",
    }  # fmt: skip
    return TaskFacts(status=status, **defaults | fields)


FAILED_ONCE: dict[str, Any] = {"attempts": 1, "error_class": "transient", "error_message": "h answered 500."}
PENDING = [
    (task(), RUNNING, "Task 7 waits for a worker."),
    (
        task(is_retired=True),
        replace(RUNNING, is_paused=True),
        "Task 7 will not run: its space is retired, and no worker claims from it. Cancel it.",
    ),
    (
        task(),
        replace(RUNNING, mode=Mode.DISABLED, is_paused=True),
        "Task 7 waits, because embedding is switched off (mode disabled).",
    ),
    (task(), replace(RUNNING, is_paused=True), "Task 7 waits, because the queue is paused."),
    (
        task(seconds_to_attempt=60.0),
        replace(RUNNING, is_paused=True, reason="an upgrade", no_worker="no worker is alive"),
        "Task 7 waits, because the queue is paused (an upgrade).",
    ),
    (
        task(),
        replace(RUNNING, no_worker="no worker is alive"),
        "Task 7 waits for a worker: no worker is alive.",
    ),
    (
        task(),
        replace(RUNNING, no_worker="2 stopped"),
        "Task 7 waits for a worker: 2 stopped.",
    ),
    (
        task(),
        replace(RUNNING, no_worker="unknown: workers cannot update their status", is_unknown=True),
        "Task 7 waits for a worker; whether one is alive is unknown: workers cannot update their status.",
    ),
    (task(), replace(RUNNING, held={"a": OUT}), f"Task 7 waits. {OUT}"),
    (task(), replace(RUNNING, held={"b": OUT}), "Task 7 waits for a worker."),
    (
        task(**FAILED_ONCE, seconds_to_attempt=12.4),
        RUNNING,
        "Attempt 1 of 3 failed (transient: h answered 500); the next attempt is in 12 s.",
    ),
    (
        task(error_class="rate_limited", seconds_to_attempt=3.0),
        RUNNING,
        "The last attempt failed (rate limited); the next attempt is in 3 s.",
    ),
    (task(seconds_to_attempt=7_300.0), RUNNING, "Task 7 is scheduled for later, in 2 h."),
    (task(priority="low"), replace(RUNNING, spent={"a": SPENT}), f"Task 7 waits. {SPENT}"),
    (task(), replace(RUNNING, spent={"a": SPENT}), "Task 7 waits for a worker."),
    (task(), replace(RUNNING, mode=Mode.SYNCHRONOUS), "Task 7 waits for a worker."),
]
HELD: dict[str, Any] = {"status": "processing", "attempts": 2, "claimed_by": "worker 4"}
NOT_PENDING = [
    (
        task(**HELD, seconds_of_lease=42.0),
        RUNNING,
        "Worker 4 is embedding it right now: attempt 2 of 3, its lease ends in 42 s.",
    ),
    (
        task(**HELD, seconds_of_lease=-200.0),
        RUNNING,
        "Worker 4 has held it past its lease for 3 min: it died or hangs; the sweep, every 5 s, will requeue it.",
    ),
    (
        task(**HELD, seconds_of_lease=-9.0),
        replace(RUNNING, no_worker="no worker is alive"),
        "Worker 4 has held it past its lease for 9 s: it died or hangs, and cannot be requeued: no worker is alive. "
        "Start a worker, or run: python manage.py queue_admin maintenance --once",
    ),
    (
        task(**HELD, seconds_of_lease=-9.0),
        replace(RUNNING, no_worker="unknown: the database is read-only", is_unknown=True),
        "Worker 4 has held it past its lease for 9 s: it died or hangs; the sweep, every 5 s, will requeue it.",
    ),
    (
        task("processing"),
        RUNNING,
        "A worker holds task 7 without a lease: it was changed by hand. Requeue it.",
    ),
    (task("completed", outcome="embedded"), RUNNING, "Task 7 is done: the article's text was embedded."),
    (
        task("completed", outcome="unchanged"),
        RUNNING,
        "Task 7 is done: all of its chunks had vectors already.",
    ),
    (
        task("completed", outcome="empty"),
        RUNNING,
        "Task 7 is done: its text is empty, so there was nothing to embed.",
    ),
    (
        task("completed", outcome="superseded"),
        RUNNING,
        "Task 7 is done: it was superseded by a newer text of the article.",
    ),
    (task("completed"), RUNNING, "Task 7 is done: it was completed by hand."),
    (
        task("failed", attempts=3, error_class="invalid_input", error_message="poison"),
        RUNNING,
        "Task 7 failed after 3 attempts (invalid input: poison). Requeue it to try again.",
    ),
    (
        task("failed", error_message="Cancelled by administrator"),
        RUNNING,
        "Task 7 failed (Cancelled by administrator). Requeue it to try again.",
    ),
    (
        task("cancelled", error_message="cancelled by ada: not needed"),
        RUNNING,
        "Task 7 was cancelled (cancelled by ada: not needed). Requeue it to run it.",
    ),
]


@pytest.mark.parametrize(("known", "brakes", "sentence"), PENDING + NOT_PENDING)
def test_a_sentence_says_why_a_task_is_not_running(known: TaskFacts, brakes: Blockers, sentence: str) -> None:
    assert why(known, "a", brakes) == sentence
