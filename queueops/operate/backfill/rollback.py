"""Takes a migration back: workers pause, what it queued and no more is cancelled, and saves embed by themselves."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from queueops.engine import modes
from queueops.engine.enqueue import Reason
from queueops.models import Mode, Operation, QueueState, Verb
from queueops.models.audit import needed_reason
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import controls, operations
from queueops.operate.backfill import run
from queueops.operate.operations import OperationError

QUEUED = TaskFilter(reason=Reason.MIGRATION)


@dataclass(frozen=True)
class RollbackReading:
    """How far a migration is in force: tasks of it that wait or are in work, migrations that have not ended, the mode,
    and whether the workers are paused."""

    left: int
    unfinished: int
    mode: Mode
    is_paused: bool

    @property
    def is_rolled_back(self) -> bool:
        """Whether nothing of it will happen any more."""
        return not self.left and not self.unfinished and self.mode is not Mode.QUEUED and self.is_paused


def look() -> RollbackReading:
    """The current state, read from the rows."""
    modes.forget()
    return RollbackReading(
        left=operations.preview(Verb.CANCEL, QUEUED).total,
        unfinished=len(run.unfinished()),
        mode=modes.current(),
        is_paused=QueueState.objects.filter(is_paused=True).exists(),
    )


def roll_back(
    *, actor: str, reason: str, carry_out: Callable[[Operation], Operation] = operations.carry_out
) -> Operation:
    """Does it, in an order that is safe to be interrupted and begun again; returns the operation that cancelled.

    `carry_out` is how that operation is carried out. Raises ReasonMissing.
    """
    reason = needed_reason(reason)
    controls.pause(actor=actor, reason=reason)
    for operation in run.unfinished():
        with contextlib.suppress(OperationError):  # it has ended by itself
            operations.stop(operation.pk, actor=actor)
    cancelled = carry_out(operations.begin(Verb.CANCEL, QUEUED, actor=actor, reason=reason))
    if modes.current() is Mode.QUEUED:  # who has disabled embedding wants none in a request either
        controls.set_mode(Mode.SYNCHRONOUS, actor=actor, reason=reason)
    return cancelled


def roll_forward(*, actor: str, reason: str) -> None:
    """Back to queued mode, and workers may claim again. Where the settings ask for that mode they have their say again,
    and a later change of them is not held up by what was persisted here. Raises ReasonMissing."""
    mode = None if modes.of_settings() is Mode.QUEUED else Mode.QUEUED
    controls.set_mode(mode, actor=actor, reason=reason)
    controls.resume(actor=actor, reason=reason)
