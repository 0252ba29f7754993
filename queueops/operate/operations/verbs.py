"""The acts by their names. Each begins an operation, carries it out, and answers its row; `progress` and `batch_size`
are those of running.carry_out. All raise ReasonMissing without a reason."""

from typing import TypedDict, Unpack
from uuid import UUID

from queueops.models import AuditLog, Operation, Priority, Verb
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate.operations.policies import POLICIES
from queueops.operate.operations.runner import OperationError, Progress, begin, carry_out, find


class How(TypedDict, total=False):
    """How it is carried out."""

    progress: Progress | None
    batch_size: int


def requeue(selection: TaskFilter, *, actor: str, reason: str, **how: Unpack[How]) -> Operation:
    """Makes failed and cancelled tasks pending again, with all their attempts, and rings for them.

    Skipped are tasks of a retired space, and those whose article already has a pending task in that space.
    """
    return _do(Verb.REQUEUE, selection, actor, reason, how)


def cancel(selection: TaskFilter, *, actor: str, reason: str, **how: Unpack[How]) -> Operation:
    """Cancels pending and processing tasks; a worker that holds one finds its token gone and writes nothing."""
    return _do(Verb.CANCEL, selection, actor, reason, how)


def prioritize(
    selection: TaskFilter, priority: Priority, *, actor: str, reason: str, **how: Unpack[How]
) -> Operation:
    """Puts tasks that have not ended into another lane."""
    return _do(Verb.PRIORITIZE, selection, actor, reason, how, priority=priority)


def clear(selection: TaskFilter, *, actor: str, reason: str, **how: Unpack[How]) -> Operation:
    """Empties the queue of these tasks: live ones are cancelled, ended ones are removed.

    Failed and cancelled tasks of a text without vectors are skipped, since the sweep would enqueue that text again;
    tasks selected by status or id are removed all the same.
    """
    return _do(Verb.CLEAR, selection, actor, reason, how)


def release(selection: TaskFilter, *, actor: str, reason: str, **how: Unpack[How]) -> Operation:
    """Takes tasks from the workers that hold them; they wait again, due at once.

    A worker that lives on finds its token gone and writes nothing; the attempt is not charged. Where the lease had
    ended, the attempt stays charged, and a task that has no more is parked as failed.
    """
    return _do(Verb.RELEASE, selection, actor, reason, how)


def undo(operation_id: UUID, *, actor: str, reason: str, **how: Unpack[How]) -> Operation:
    """Undoes an operation where tasks are still as it left them; an undo can be undone as well.

    `skips` of the result has how many could not be put back, by reason. Raises OperationError for an operation that
    cannot be undone.
    """
    return _do(Verb.UNDO, TaskFilter(), actor, reason, how, undoes=undoable(operation_id))


def undoable(operation_id: UUID) -> Operation:
    """The operation, if it can be undone. Raises OperationError."""
    operation = find(operation_id)
    if not POLICIES[Verb(operation.verb)].can_be_undone:
        raise OperationError(
            f"a {operation.verb} cannot be undone: its tasks simply wait for the next worker"
        )
    if operation.is_running:
        raise OperationError(f"operation {operation_id} is {operation.state}: let it end, or stop it, first")
    told = AuditLog.objects.filter(operation_id=operation_id, task_id__isnull=False)
    if operation.changed and operation.verb != Verb.MIGRATE and not told.exists():
        raise OperationError(f"the audit rows of operation {operation_id} are past their retention")
    return operation


def _do(
    verb: Verb,
    selection: TaskFilter,
    actor: str,
    reason: str,
    how: How,
    *,
    priority: str = "",
    undoes: Operation | None = None,
) -> Operation:
    begun = begin(verb, selection, actor=actor, reason=reason, priority=priority, undoes=undoes)
    return carry_out(begun, **how)
