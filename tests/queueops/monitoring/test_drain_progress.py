"""Whether what is left will be done."""

from dataclasses import replace

import pytest

from embeddings.models import Space
from queueops.cli.verbs import wait
from queueops.models import Status
from queueops.monitoring import drain_progress
from queueops.monitoring.drain_progress import Remaining
from queueops.monitoring.snapshot import Snapshot
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
def test_work_is_drained_going_on_or_stuck_for_a_reason(
    now: Snapshot, is_left: bool, state: str, reason: str
) -> None:
    found = drain_progress.judge(now, is_left=is_left)
    assert (found.state, found.reason) == (state, reason)
    assert found.left == (3 if is_left else 0)


@pytest.fixture
def space(db: None, monkeypatch: pytest.MonkeyPatch) -> Space:
    monkeypatch.setattr(wait, "_EVERY_SECONDS", 0.01)
    make_worker()
    return make_space()


def test_tasks_of_a_retired_space_are_not_waited_for(space: Space) -> None:
    make_tasks(1, space)
    assert drain_progress.look().state == "working"
    type(space).objects.update(state="retired")
    assert drain_progress.look() == Remaining(drain_progress.DrainState.DRAINED, 0)
