"""Why a task is not running, in one sentence; pure, so that CLI, REST and admin agree."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings

from lib.durations import age
from lib.manage_command import manage
from queueops.models import Mode, Outcome, Priority, Status


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """The facts about a task. Spans are in seconds from now: `seconds_to_attempt` is negative for a task that is due,
    `seconds_of_lease` for one held past its lease."""

    id: int
    status: str
    attempts: int
    max_attempts: int
    created_at: datetime
    scheduled_at: datetime
    seconds_to_attempt: float
    error_class: str
    error_message: str
    priority: str = Priority.NORMAL.value
    outcome: str = ""
    claimed_by: str = ""
    seconds_of_lease: float | None = None
    is_retired: bool = False  # its space is
    is_current: bool = False  # its article's text has vectors in its space

    @property
    def is_live(self) -> bool:
        return self.status in {Status.PENDING, Status.PROCESSING}


@dataclass(frozen=True, slots=True)
class Blockers:
    """What blocks work on any article. `no_worker` is why no worker is known to be alive, in the words of health, empty
    if one is; with `is_unknown` there may be some. `held` has a sentence per provider that may not be called now,
    `spent` one per provider whose daily budget is spent, both by provider name."""

    mode: Mode
    is_paused: bool
    reason: str
    no_worker: str = ""
    is_unknown: bool = False
    held: Mapping[str, str] = field(default_factory=dict)
    spent: Mapping[str, str] = field(default_factory=dict)
    installed: bool = True  # the queue is
    is_staged: bool = False  # a backfill left the article for a later stage
    storage: str = ""  # the sentence if the database does not accept vectors


def why(task: TaskFacts, provider: str, blockers: Blockers) -> str:
    """Why the task is not running, or that it is running or has ended. `provider` is that of its space."""
    match task.status:
        case Status.PENDING:
            return _sentence(why_pending(task, provider, blockers))
        case Status.PROCESSING:
            return _sentence(_why_held(task, blockers))
        case Status.COMPLETED:
            return f"Task {task.id} is done: {_DONE.get(task.outcome, 'it was completed by hand')}."
        case Status.FAILED:
            after = f" after {times(task.attempts)}" if task.attempts else ""
            then = (
                "Its article's text is embedded since: nothing to do"
                if task.is_current
                else "Requeue it to try again"
            )
            return f"Task {task.id} failed{after}{error(task)}. {then}."
        case _:
            return f"Task {task.id} was cancelled{error(task)}. Requeue it to run it."


def why_pending(task: TaskFacts, provider: str, blockers: Blockers) -> str:
    """What a pending task waits for; causes that no worker can fix come first."""
    if task.is_retired:
        return f"task {task.id} will not run: its space is retired, and no worker claims from it. Cancel it."
    if blockers.mode is Mode.DISABLED:
        return f"task {task.id} waits, because embedding is switched off (mode disabled)."
    if blockers.is_paused:
        reason = f" ({blockers.reason})" if blockers.reason else ""
        return f"task {task.id} waits, because the queue is paused{reason}."
    if blockers.no_worker and not blockers.is_unknown:
        return f"task {task.id} waits for a worker: {blockers.no_worker}."
    if blockers.storage:
        return f"task {task.id} waits. {blockers.storage}"
    if held := blockers.held.get(provider):
        return f"task {task.id} waits. {held}"
    if task.seconds_to_attempt > 0:
        return _why_later(task)
    if task.priority == Priority.LOW and (spent := blockers.spent.get(provider)):
        return f"task {task.id} waits. {spent}"
    unknown = f"; whether one is alive is {blockers.no_worker}" if blockers.no_worker else ""
    return f"task {task.id} waits for a worker{unknown}."


def times(number: int) -> str:
    """1 attempt, 2 attempts."""
    return "1 attempt" if number == 1 else f"{number} attempts"


def error(task: TaskFacts) -> str:
    """The task's error in parentheses, to follow a word; empty for none."""
    parts = [task.error_class.replace("_", " "), task.error_message.strip().rstrip(".")]
    text = ": ".join(part for part in parts if part)
    return f" ({text})" if text else ""


def _why_later(task: TaskFacts) -> str:
    if not task.error_class:
        return f"task {task.id} is scheduled for later, in {age(task.seconds_to_attempt)}."
    last = f"attempt {task.attempts} of {task.max_attempts}" if task.attempts else "the last attempt"
    return f"{last} failed{error(task)}; the next attempt is in {task.seconds_to_attempt:.0f} s."


def _why_held(task: TaskFacts, blockers: Blockers) -> str:
    holder = task.claimed_by or "a worker"
    left = task.seconds_of_lease
    if blockers.storage:
        return f"{holder} holds task {task.id}. {blockers.storage}"
    if left is None:
        return f"{holder} holds task {task.id} without a lease: it was changed by hand. Requeue it."
    if left > 0:
        attempt = f"attempt {task.attempts} of {task.max_attempts}"
        return f"{holder} is embedding it right now: {attempt}, its lease ends in {left:.0f} s."
    lost = f"{holder} has held it past its lease for {age(-left)}: it died or hangs"
    if blockers.no_worker and not blockers.is_unknown:
        once = manage("queue_admin maintenance --once")
        return f"{lost}, and cannot be requeued: {blockers.no_worker}. Start a worker, or run: {once}"
    return f"{lost}; the sweep, every {settings.EMBEDDING_WORKER_INTERVAL / 1000:g} s, will requeue it."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


_DONE = {
    Outcome.EMBEDDED.value: "the article's text was embedded",
    Outcome.UNCHANGED.value: "all of its chunks had vectors already",
    Outcome.EMPTY.value: "its text is empty, so there was nothing to embed",
    Outcome.SUPERSEDED.value: "it was superseded by a newer text of the article",
}
