"""Whether the remaining tasks will be done, and the verb that waits for it."""

import threading
from dataclasses import replace

import pytest
from django.db import connection
from django.db.models.functions import Now

from queueops.cli.verbs import wait
from queueops.models import QueueState, Status, Task
from queueops.monitoring import drain_progress
from queueops.monitoring.drain_progress import Remaining
from queueops.monitoring.snapshot import Snapshot
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_space, make_tasks, make_worker

NOTHING = dict.fromkeys(Status.values, 0)
BUSY = Snapshot(
    mode="queued", mode_in_settings="queued", paused=False, reason="", changed_by="", tasks=NOTHING | {"pending": 3},
    due=3, oldest_due_age=5.0, expired_leases=0, completed_5m=0, failed_5m=0, completed_1h=0, failed_1h=0,
    workers_alive=2, workers_stopped=0, last_claim_age=1.0, sweep_age=1.0, space="s", articles=3, embedded=0,
    estimated=NOTHING | {"pending": 3},
)  # fmt: skip
HELD = NOTHING | {"pending": 3, "processing": 1}
CASES = [
    (BUSY, True, "working", ""),
    (BUSY, False, "drained", ""),
    (
        replace(BUSY, paused=True, reason="an upgrade.", changed_by="ada"),
        True,
        "stuck",
        "The queue is paused by ada: an upgrade.",
    ),
    (replace(BUSY, paused=True, tasks=HELD), True, "working", ""),
    (
        replace(BUSY, paused=True, tasks=HELD, expired_leases=1),
        True,
        "stuck",
        "The queue is paused.",
    ),
    (replace(BUSY, workers_alive=0), True, "stuck", "No worker is alive."),
    (replace(BUSY, workers_alive=0, workers_stopped=2), True, "stuck", "2 stopped."),
    (replace(BUSY, mode="disabled"), True, "stuck", "System disabled: nothing is embedded."),
    (replace(BUSY, mode="synchronous"), True, "working", ""),
    (
        replace(BUSY, oldest_due_age=2_000.0, last_claim_age=2_000.0),
        True,
        "stuck",
        "Workers are alive but claim nothing; the oldest task has waited for 33 min.",
    ),
]


@pytest.mark.parametrize(("now", "is_left", "state", "reason"), CASES)
def test_work_is_drained_going_on_or_stuck_for_a_reason(now, is_left, state, reason):
    found = drain_progress.judge(now, is_left=is_left)
    assert (found.state, found.reason) == (state, reason)
    assert found.left == (3 if is_left else 0)


@pytest.fixture
def space(db, monkeypatch):
    monkeypatch.setattr(wait, "_EVERY_SECONDS", 0.01)
    make_worker()
    return make_space()


def test_tasks_of_a_retired_space_are_not_waited_for(space):
    make_tasks(1, space)
    assert drain_progress.look().state == "working"
    type(space).objects.update(state="retired")
    assert drain_progress.look() == Remaining(drain_progress.DrainState.DRAINED, 0)


def test_waiting_for_nothing_ends_at_once(space):
    called = queue_admin("wait-for-completion", "--json")
    assert (called.code, called.json["state"], called.json["left"]) == (0, "drained", 0)
    assert queue_admin("wait-for-completion").out.startswith("Drained: nothing is left to do")


def test_waiting_ends_at_its_timeout_and_says_what_is_left(space):
    make_tasks(1, space)
    called = queue_admin("wait-for-completion", "--timeout=0")
    assert (called.code, called.out) == (1, "Timed out after 0 s: about 1 task is left.\n")
    assert queue_admin("wait-for-completion", "--timeout=0", "--json").json["state"] == "timed_out"


def test_waiting_ends_when_the_queue_is_paused_and_says_why(space):
    make_tasks(2, space)
    QueueState.objects.update(is_paused=True, reason="an upgrade", changed_by="ada")
    called = queue_admin("wait-for-completion", "--timeout=60")
    assert called.code == 2
    assert called.out == "Stuck: about 2 tasks are left. The queue is paused by ada: an upgrade.\n"


@pytest.mark.django_db(transaction=True)
def test_waiting_goes_on_until_the_last_task_has_ended(monkeypatch):
    monkeypatch.setattr(wait, "_EVERY_SECONDS", 0.01)
    make_worker()
    make_tasks(2, make_space())
    looked = threading.Event()

    def end_them():
        looked.wait(20)
        Task.objects.update(status="completed", outcome="embedded", completed_at=Now())
        connection.close()

    def look(execute, sql, params, many, context):
        looked.set()
        return execute(sql, params, many, context)

    worker = threading.Thread(target=end_them)
    worker.start()
    with connection.execute_wrapper(look):
        called = queue_admin("wait-for-completion", "--timeout=60")
    worker.join()
    assert called.code == 0
