"""Why a task is not running, in one sentence; pure, so that every face gives the same answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings

from queueops.models import Mode, Outcome, Priority, Status
from queueops.monitoring.health import age


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What is known of a task. Spans are in seconds from now: `seconds_to_try` is negative for one that is due,
    `seconds_of_lease` for one held past its lease."""

    id: int
    status: str
    attempts: int
    max_attempts: int
    created_at: datetime
    scheduled_at: datetime
    seconds_to_try: float
    error_class: str
    error_message: str
    priority: str = Priority.NORMAL.value
    outcome: str = ""
    claimed_by: str = ""
    seconds_of_lease: float | None = None
    is_retired: bool = False  # its space is

    @property
    def is_live(self) -> bool:
        return self.status in {Status.PENDING, Status.PROCESSING}


@dataclass(frozen=True, slots=True)
class Blockers:
    """What keeps work from being done, whatever the article. `held` has the sentence for each provider that is not
    asked now, `spent` the one for each whose daily budget is gone, both by its name."""

    mode: Mode
    is_paused: bool
    reason: str
    workers: int
    held: Mapping[str, str] = field(default_factory=dict)
    stopped: int = 0
    spent: Mapping[str, str] = field(default_factory=dict)
    installed: bool = True  # the queue is
    is_staged: bool = False  # a migration has left the article for a later stage
    storage: str = ""  # the sentence for a database that takes no vectors


def why(task: TaskFacts, provider: str, brakes: Blockers) -> str:
    """Why the task is not running; where it is, or has ended, that. `provider` is the one of its space."""
    match task.status:
        case Status.PENDING:
            return _sentence(why_pending(task, provider, brakes))
        case Status.PROCESSING:
            return _sentence(_why_held(task, brakes))
        case Status.COMPLETED:
            return f"Task {task.id} is done: {_DONE.get(task.outcome, 'it was completed by hand')}."
        case Status.FAILED:
            tried = f" after {times(task.attempts)}" if task.attempts else ""
            return (
                f"Task {task.id} has failed{tried}{error(task)}: nothing tries it again until it is requeued."
            )
        case _:
            return f"Task {task.id} was cancelled{error(task)}: nothing tries it until it is requeued."


def why_pending(task: TaskFacts, provider: str, brakes: Blockers) -> str:
    """What a pending task waits for, what no worker can mend first."""
    if task.is_retired:
        return f"task {task.id} will not run: its space is retired, and no worker claims from it. Cancel it."
    if brakes.mode is Mode.DISABLED:
        return f"task {task.id} waits, because embedding is switched off (mode disabled)."
    if brakes.is_paused:
        said = f" ({brakes.reason})" if brakes.reason else ""
        return f"task {task.id} waits, because the queue is paused{said}."
    if not brakes.workers:
        told = f": {brakes.stopped} told to stop" if brakes.stopped else ""
        return f"task {task.id} waits for a worker, and none is running{told}."
    if brakes.storage:
        return f"task {task.id} waits. {brakes.storage}"
    if held := brakes.held.get(provider):
        return f"task {task.id} waits. {held}"
    if task.seconds_to_try > 0:
        return _why_later(task)
    if task.priority == Priority.LOW and (spent := brakes.spent.get(provider)):
        return f"task {task.id} waits. {spent}"
    return f"task {task.id} waits for a worker."


def times(number: int) -> str:
    """1 attempt, 2 attempts."""
    return "1 attempt" if number == 1 else f"{number} attempts"


def error(task: TaskFacts) -> str:
    """The task's error in parentheses, to follow a word; empty for none."""
    parts = [task.error_class.replace("_", " "), task.error_message.strip().rstrip(".")]
    said = ": ".join(part for part in parts if part)
    return f" ({said})" if said else ""


def _why_later(task: TaskFacts) -> str:
    if not task.error_class:
        return f"task {task.id} is scheduled for later, in {age(task.seconds_to_try)}."
    tries = (
        f"attempt {task.attempts} of {task.max_attempts} failed" if task.attempts else "the last try failed"
    )
    return f"{tries}{error(task)}; the next try is in {task.seconds_to_try:.0f} s."


def _why_held(task: TaskFacts, brakes: Blockers) -> str:
    holder = task.claimed_by or "a worker"
    left = task.seconds_of_lease
    if brakes.storage:
        return f"{holder} holds task {task.id}. {brakes.storage}"
    if left is None:
        return f"{holder} holds task {task.id} without a lease: somebody changed it by hand. Requeue it."
    if left > 0:
        attempt = f"attempt {task.attempts} of {task.max_attempts}"
        return f"{holder} is embedding it right now: {attempt}, its lease ends in {left:.0f} s."
    lost = f"{holder} has held it past its lease for {age(-left)}: it died or hangs"
    if not brakes.workers:
        return f"{lost}, and no worker is alive to give it back. Start one, or run maintenance --once."
    return f"{lost}; the sweep, every {settings.EMBEDDING_WORKER_INTERVAL / 1000:g} s, gives it back."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


_DONE = {
    Outcome.EMBEDDED.value: "the article's text was embedded",
    Outcome.UNCHANGED.value: "all of its text had vectors already",
    Outcome.EMPTY.value: "its text is empty, so there was nothing to embed",
    Outcome.SUPERSEDED.value: "a newer text of the article took its place",
}
