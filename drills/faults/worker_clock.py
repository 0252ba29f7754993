"""A worker whose clock is five minutes off must claim due tasks, and only those, and end nobody else's lease."""

import time
from pathlib import Path

from redis import Redis

from drills.system_under_test import System
from drills.trial_results import FaultResult

_WRONG_SECONDS = 300
_HEARTBEATS = "vectorpress:__heartbeats__"
_LATER_SECONDS = 4
_LATE_SECONDS = 10  # on a busy machine
_POSTPONE = f"""
UPDATE embedding_tasks SET scheduled_at = now() + {_LATER_SECONDS} * interval '1 second'
WHERE status = 'pending' AND id % 3 = 0
"""
_COUNT = "SELECT count(*) FROM embedding_tasks WHERE "
_BROKEN = {
    "tasks were claimed before they were due": "processed_at < scheduled_at",
    "tasks were claimed late": f"processed_at > scheduled_at + {_LATE_SECONDS} * interval '1 second'",
    "tasks were claimed more than once": "attempts <> 1",
    "tasks have times that are not of the database": (
        "greatest(abs(extract(epoch FROM now() - completed_at)), abs(extract(epoch FROM now() - processed_at))) > 60"
    ),
}
_EXPIRED = "SELECT count(*) FROM embedding_audit_logs WHERE category = 'sweep'"


def join_ahead(system: System) -> None:
    """A second worker, five minutes ahead."""
    _join(system, _WRONG_SECONDS)


def join_behind(system: System) -> None:
    """A second worker, five minutes behind."""
    _join(system, -_WRONG_SECONDS)


def postpone(system: System) -> FaultResult:
    """Some tasks become due later, by the database's clock; no other clock may decide when, or who holds them."""
    since = time.monotonic()
    system.execute(_POSTPONE)
    system.wait(system.is_at_rest, "both workers to finish")
    found = {what: system.value(_COUNT + where) for what, where in _BROKEN.items()}
    broken = [f"{count} {what}" for what, count in found.items() if count]
    if expired := system.value(_EXPIRED):
        broken.append(f"{expired} leases ended")
    return FaultResult(since, broken)


def _join(system: System, seconds: int) -> None:
    system.environment = {
        "PYTHONPATH": str(Path(__file__).parent.parent / "wrong_clock"),
        "DRILL_CLOCK_SECONDS": str(seconds),
    }
    with Redis.from_url(system.stack.valkey.url) as client:
        client.delete(_HEARTBEATS)  # of an earlier trial
    system.start_workers()
    system.await_workers(2)
    system.wait(lambda: _has_reported(system, seconds), "a worker to report a wrong time")


def _has_reported(system: System, seconds: int) -> bool:
    """Whether a worker has reported such a time to the broker: Dramatiq keeps its workers' own clocks there, in ms."""
    with Redis.from_url(system.stack.valkey.url) as client:
        beats: list[tuple[bytes, float]] = client.zrange(_HEARTBEATS, 0, -1, withscores=True)
    return any(abs(beat / 1000 - time.time() - seconds) < abs(seconds) / 2 for _, beat in beats)
