"""Carries an operation out: in batches, each a transaction that also moves the cursor, so that a kill loses nothing."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import Count, Max
from psycopg.errors import DeadlockDetected, ForeignKeyViolation, LockNotAvailable, UniqueViolation

from lib.manage_command import manage
from queueops.models import AuditLog, Operation, OperationStatus, Task, Verb
from queueops.models.audit import needed_reason
from queueops.models.operation import BUSY, MOVED_ON
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate.operations import eligibility, pacing, policies

type Progress = Callable[[int, int], object]
type Perform = Callable[[Operation, Sequence[int]], dict[int, str]]

# While all remaining rows are locked by other sessions, they are tried again at this interval, for this long.
_WAIT_SECONDS = 0.1
_PATIENCE_SECONDS = 10.0
LOCKED_TOO_LONG = "another session locked it for too long"
# Another session was faster, or holds a lock; a moment later this may have changed.
_COLLISIONS = (LockNotAvailable, DeadlockDetected, UniqueViolation, ForeignKeyViolation)
_SAMPLE = 5


class OperationError(Exception):
    """Why an operation cannot be begun, resumed, stopped or undone, in a sentence."""


@dataclass(frozen=True)
class Preview:
    """What an act would be about: how many tasks, how many of them it would pass over and why, and the first of them.
    `left_out` are tasks named by their ids that it cannot be done to; they are among the `skips`."""

    verb: Verb
    total: int
    sample: list[Task]
    skips: dict[str, int] = field(default_factory=dict)
    left_out: dict[int, str] = field(default_factory=dict)

    @property
    def doable(self) -> int:
        """How many tasks it would change, as they are now."""
        return self.total - sum(self.skips.values())


def begin(
    verb: Verb,
    selection: TaskFilter,
    *,
    actor: str,
    reason: str,
    priority: str = "",
    undoes: Operation | None = None,
    operation_id: UUID | None = None,
) -> Operation:
    """The row of an operation, with its tasks counted and nothing done yet; of tasks named by ids, those that it cannot
    be done to are skipped already. Raises ReasonMissing, and SelectionError for a filter that no task can fit."""
    eligibility.refuse_contradictions(verb, selection)
    with transaction.atomic():
        operation = Operation.objects.create(
            id=operation_id or uuid4(),
            verb=verb,
            actor=actor,
            reason=needed_reason(reason),
            scope=selection.as_json(),
            priority=priority,
            undoes=undoes,
        )
        found = policies.ids(operation).aggregate(total=Count("*"), last=Max(policies.of(operation).id_name))
        operation.skips = dict(Counter(eligibility.left_out(operation).values()))
        operation.skipped = sum(operation.skips.values())
        operation.total, operation.last_id = found["total"] + operation.skipped, found["last"] or 0
        operation.save(update_fields=["total", "last_id", "skips", "skipped"])
    return operation


def preview(
    verb: Verb,
    selection: TaskFilter,
    *,
    priority: str = "",
    undoes: Operation | None = None,
    is_judged: bool = True,
) -> Preview:
    """What `begin` would count, and what would be passed over later, unless that is not to be judged; nothing is
    written. Raises SelectionError."""
    with transaction.atomic():
        operation = begin(verb, selection, actor="", reason="a look", priority=priority, undoes=undoes)
        sample = list(Task.objects.filter(pk__in=list(policies.ids(operation)[:_SAMPLE])).order_by("pk"))
        left_out = eligibility.left_out(operation)
        transaction.set_rollback(True)
    skips = Counter(operation.skips)
    for answers in _judged(operation) if is_judged and policies.POLICIES[verb].may else ():
        skips.update(answers.values())
    return Preview(verb, operation.total, sample, dict(skips), left_out)


def _judged(operation: Operation) -> Iterator[dict[int, str]]:
    """What would not be changed, and why, batch by batch; each locks its tasks for as long as it looks."""
    after = 0
    while task_ids := list(policies.ids(operation, after=after)[: pacing.MOST]):
        with transaction.atomic():
            policies.guard()
            yield policies.of(operation).passed_over(operation, task_ids)
        after = task_ids[-1]


def carry_out(
    operation: Operation,
    *,
    progress: Progress | None = None,
    batch_size: int | None = None,
    seconds: float = float("inf"),
) -> Operation:
    """Works until the operation is done or stopped; returns the row as it is then.

    `progress` gets (tasks handled, total) after each batch; a batch has at most `batch_size` tasks, and at most as many
    as the verb allows. No batch starts after `seconds`.
    After any interruption, `resume` continues the operation. Raises OperationError when another process
    is at it.
    """
    with _attended(operation):
        policy = policies.of(operation)
        most = min(batch_size or policy.most, policy.most)
        size, moved_at = min(pacing.FIRST, most), time.monotonic()
        until = moved_at + seconds
        operation.refresh_from_db()
        while operation.is_running:
            before = operation.progress
            is_patient = time.monotonic() < moved_at + _PATIENCE_SECONDS
            operation, size = _batch(operation, size, most, is_patient=is_patient)
            has_moved = operation.progress != before
            if has_moved:
                moved_at = time.monotonic()
                if progress:
                    progress(operation.changed + operation.skipped, operation.total)
            if time.monotonic() >= until:
                break
            if operation.is_running:
                time.sleep(policy.breath if has_moved else _WAIT_SECONDS)
    return operation


def resume(
    operation_id: UUID, *, progress: Progress | None = None, batch_size: int | None = None
) -> Operation:
    """Continues an interrupted operation. Raises OperationError if there is nothing to continue."""
    return carry_out(resumable(operation_id), progress=progress, batch_size=batch_size)


def resumable(operation_id: UUID) -> Operation:
    """The operation, if it has not ended. Raises OperationError."""
    operation = find(operation_id)
    if not operation.is_running:
        raise OperationError(
            f"operation {operation_id} is {operation.status} already: nothing is left to resume"
        )
    return operation


def stop(operation_id: UUID, *, actor: str) -> Operation:
    """Ends an operation after its present batch, wherever it runs. Raises OperationError when it has ended already."""
    with transaction.atomic():
        operation = Operation.objects.select_for_update().filter(pk=operation_id).first() or find(
            operation_id
        )
        if not operation.is_running:
            raise OperationError(f"operation {operation_id} is {operation.status} already")
        operation.finish(OperationStatus.CANCELLED, by=actor)
    return operation


def find(operation_id: UUID) -> Operation:
    """The operation with this id. Raises OperationError when there is none."""
    if operation := Operation.objects.filter(pk=operation_id).first():
        return operation
    if entry := AuditLog.objects.filter(operation_id=operation_id).order_by("id").first():
        raise OperationError(f"operation {operation_id} ({entry.message}) was not an operation on many tasks")
    raise OperationError(
        f"there is no operation {operation_id}; to list them: {manage('queue_admin operations')}"
    )


@contextlib.contextmanager
def _attended(operation: Operation) -> Iterator[None]:
    if not operation.attend():
        raise OperationError(f"operation {operation.pk} is being carried out by another process")
    try:
        yield
    finally:
        with contextlib.suppress(DatabaseError, InterfaceError):  # without its session the lock is gone too
            operation.leave()


def _batch(operation: Operation, size: int, most: int, *, is_patient: bool) -> tuple[Operation, int]:
    """Does the next tasks; returns the row after that, and the size of the next batch."""
    is_last, act = True, _again
    if operation.is_through and not is_patient:
        task_ids, act = list(operation.passed_over), _give_up
    elif operation.is_through:
        task_ids = operation.passed_over[:size]
    else:
        task_ids = list(policies.ids(operation, after=operation.cursor)[:size])
        is_last, act = len(task_ids) < size, policies.of(operation).perform
    began = time.monotonic()
    try:
        after = _commit(operation, task_ids, act, is_last=is_last)
    except (OperationalError, IntegrityError) as error:
        if not isinstance(error.__cause__, _COLLISIONS):
            raise
        if len(task_ids) > 1:
            return operation, pacing.after_collision(len(task_ids))
        after = _commit(operation, task_ids, _pass_over, is_last=is_last)
    aim = policies.of(operation).seconds
    return after, pacing.next_size(size, time.monotonic() - began, most, aim)


def _commit(known: Operation, task_ids: list[int], act: Perform, *, is_last: bool) -> Operation:
    """One transaction: the act, its audit rows and how far the operation is. Does nothing when the operation has been
    stopped, or another process has continued it."""
    with transaction.atomic():
        policies.guard()
        operation = Operation.objects.select_for_update().get(pk=known.pk)
        if not operation.is_running or operation.progress != known.progress:
            return operation
        operation.advance(task_ids, act(operation, task_ids) if task_ids else {}, is_last=is_last)
        if operation.is_through and not operation.passed_over:
            operation.finish(OperationStatus.DONE, by=operation.actor)
        else:
            operation.save()
    return operation


def _again(operation: Operation, task_ids: Sequence[int]) -> dict[int, str]:
    """The act, for tasks that were passed over and may have changed since."""
    still = list(policies.ids(operation, among=task_ids))
    return dict.fromkeys(task_ids, MOVED_ON) | (
        policies.of(operation).perform(operation, still) if still else {}
    )


def _give_up(operation: Operation, task_ids: Sequence[int]) -> dict[int, str]:
    still = policies.ids(operation, among=task_ids)
    return dict.fromkeys(task_ids, MOVED_ON) | dict.fromkeys(still, LOCKED_TOO_LONG)


def _pass_over(_: Operation, task_ids: Sequence[int]) -> dict[int, str]:
    return dict.fromkeys(task_ids, BUSY)
