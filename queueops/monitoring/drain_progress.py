"""Whether the remaining tasks will be done: drained, working, or stuck and why."""

from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Q

from embeddings.models import SpaceState
from queueops.models import Mode, Status, Task
from queueops.monitoring import health, snapshot
from queueops.monitoring.health import Condition
from queueops.monitoring.snapshot import Snapshot


class DrainState(StrEnum):
    DRAINED = "drained"
    WORKING = "working"
    STUCK = "stuck"


@dataclass(frozen=True)
class Remaining:
    """`left` is the estimated number of tasks that have not ended; `reason` is a sentence if work is stuck."""

    state: DrainState
    left: int
    reason: str = ""


def look() -> Remaining:
    """The state now. Tasks of retired spaces do not count: no worker claims them."""
    is_left = Task.objects.live().exclude(Q(space__state=SpaceState.RETIRED)).exists()
    return judge(snapshot.take(), is_left=is_left)


def judge(now: Snapshot, *, is_left: bool) -> Remaining:
    """Working while workers hold tasks; stuck if no worker will claim the rest. Pure."""
    if not is_left:
        return Remaining(DrainState.DRAINED, 0)
    left = now.estimated.get(Status.PENDING, 0) + now.estimated.get(Status.PROCESSING, 0)
    is_held = now.tasks[Status.PROCESSING] > now.expired_leases
    if is_held or not (reason := _obstacle(now)):
        return Remaining(DrainState.WORKING, left)
    return Remaining(DrainState.STUCK, left, reason)


def _obstacle(now: Snapshot) -> str:
    """Why no worker will claim; empty if one will."""
    word, note = health.workers(now)
    is_none_there = not now.workers_alive and (now.partial or word == "stopped")
    if now.paused or now.mode == Mode.DISABLED or is_none_there:
        return f"{note[:1].upper()}{note[1:].rstrip('.')}."
    judged = health.judge(now)
    return judged.sentence if judged.condition is Condition.DOWN else ""
