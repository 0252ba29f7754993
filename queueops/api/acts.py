"""Changes to tasks over HTTP: each is an operation, which runs for a bounded time in its request."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Status
from ninja.errors import HttpError

from queueops.api import replies
from queueops.api.fields import BulkRequest, Filter, Prioritize, TaskInPath, Undo, Why, actor
from queueops.api.reads import no_task, operation_or_404
from queueops.api.replies import OperationReply
from queueops.models import Operation, Task, Verb
from queueops.models import Status as TaskStatus
from queueops.models.operation import MOVED_ON
from queueops.monitoring.task_filter import SelectionError, TaskFilter
from queueops.operate import operations
from queueops.operate.operations import OperationError

# A request runs this long plus one batch: about ten thousand tasks. The rest waits to be resumed.
SECONDS = 5.0

_REPLIES = {200: OperationReply, 202: OperationReply}


def add_routes(router: Router) -> None:
    """POST below /queue that change tasks."""
    _add_bulk(router)
    _add_single(router)
    _add_operations(router)


def _add_bulk(router: Router) -> None:
    @router.post(
        "/retry",
        response=_REPLIES,
        summary="Requeue failed tasks; cancelled tasks if selected by id or status",
    )
    def retry_tasks(request: HttpRequest, given: BulkRequest) -> Status[OperationReply]:
        """Each selected task is due at once, its attempts counted from zero. An operation: counted first, undoable."""
        return _change(request, Verb.REQUEUE, given, _selected(given.filter).or_only(TaskStatus.FAILED))

    @router.post("/cancel", response=_REPLIES, summary="Cancel pending and processing tasks")
    def cancel_tasks(request: HttpRequest, given: BulkRequest) -> Status[OperationReply]:
        """Cancelled texts are not embedded until they change or are requeued. An operation: counted first, undoable."""
        return _change(request, Verb.CANCEL, given, _selected(given.filter))

    @router.post(
        "/prioritize", response=_REPLIES, summary="Change the priority of pending and processing tasks"
    )
    def prioritize_tasks(request: HttpRequest, given: Prioritize) -> Status[OperationReply]:
        """Tasks of a higher priority are claimed first. An operation: counted first, undoable."""
        return _change(request, Verb.PRIORITIZE, given, _selected(given.filter), priority=given.priority)

    @router.post(
        "/clear",
        response=_REPLIES,
        summary="Cancel pending tasks; with `status` or `all`, remove ended tasks",
    )
    def clear_tasks(request: HttpRequest, given: BulkRequest) -> Status[OperationReply]:
        """Removed tasks cannot be brought back; articles and vectors stay. An operation: counted first."""
        chosen = _selected(given.filter)
        return _change(
            request, Verb.CLEAR, given, chosen if given.filter.all else chosen.or_only(TaskStatus.PENDING)
        )


def _add_single(router: Router) -> None:
    @router.post("/tasks/{task_id}/retry", response=_REPLIES, summary="Requeue a task")
    def retry_task(request: HttpRequest, task_id: TaskInPath, given: Why) -> Status[OperationReply]:
        """A failed or cancelled task is due at once; for others the reply is 409."""
        return _change_one(request, Verb.REQUEUE, task_id, given)

    @router.post("/tasks/{task_id}/cancel", response=_REPLIES, summary="Cancel a task")
    def cancel_task(request: HttpRequest, task_id: TaskInPath, given: Why) -> Status[OperationReply]:
        """A pending or processing task ends; for others the reply is 409."""
        return _change_one(request, Verb.CANCEL, task_id, given)


def _add_operations(router: Router) -> None:
    @router.post(
        "/operations/{operation_id}/undo",
        response=_REPLIES,
        summary="Undo an operation, for tasks that have not changed since",
    )
    def undo_operation(request: HttpRequest, operation_id: UUID, given: Undo) -> Status[OperationReply]:
        """Tasks get back the state that the audit log has of them. The undo is an operation itself."""
        operation_or_404(operation_id)
        with _refusals():
            undone = operations.undoable(operation_id)
        return _change(request, Verb.UNDO, given, TaskFilter(), undoes=undone)

    @router.post(
        "/operations/{operation_id}/resume", response=_REPLIES, summary="Resume an interrupted operation"
    )
    def resume_operation(request: HttpRequest, operation_id: UUID) -> Status[OperationReply]:
        """It continues where it ended. POST again as long as the reply is 202."""
        operation_or_404(operation_id)
        with _refusals():
            resumed = operations.resumable(operation_id)
        return _carried_out(resumed)

    @router.post(
        "/operations/{operation_id}/stop",
        response=replies.OperationView,
        summary="Stop an operation after its current batch",
    )
    def stop_operation(request: HttpRequest, operation_id: UUID) -> replies.OperationView:
        """Tasks that it has changed stay changed; an undo takes them back."""
        operation_or_404(operation_id)
        with _refusals():
            stopped = operations.stop(operation_id, actor=actor(request))
        return replies.view(stopped)


def _selected(chosen: Filter) -> TaskFilter:
    return chosen.selection(tuple(chosen.ids) or None)


def _change(
    request: HttpRequest, verb: Verb, given: BulkRequest | Undo, selection: TaskFilter, **details: Any
) -> Status[OperationReply]:
    try:
        found = operations.preview(verb, selection, **details, is_judged=given.dry_run)
    except SelectionError as error:
        raise HttpError(409, str(error)) from error  # well formed, but nothing can match it
    if given.dry_run or not found.doable:
        return Status(200, replies.previewed(found, dry_run=given.dry_run))
    begun = operations.begin(verb, selection, actor=actor(request), reason=given.reason, **details)
    return _carried_out(begun)


def _change_one(request: HttpRequest, verb: Verb, task_id: int, given: Why) -> Status[OperationReply]:
    if (status := Task.objects.filter(pk=task_id).values_list("status", flat=True).first()) is None:
        raise no_task(task_id)
    possible = [each.value for each in operations.POLICIES[verb].statuses]
    if status not in possible:
        raise HttpError(
            409, f"task {task_id} is {status}; it must be {' or '.join(possible)} to be {verb.acted}"
        )
    begun = operations.begin(verb, TaskFilter(ids=(task_id,)), actor=actor(request), reason=given.reason)
    reply = _carried_out(begun)
    done = reply.value["operation"]
    if done and done["state"] == "done" and not done["changed"]:
        raise HttpError(409, f"task {task_id} was not {verb.acted}: {next(iter(done['skips']), MOVED_ON)}")
    return reply


@contextmanager
def _refusals() -> Iterator[None]:
    """Turns OperationError into a conflict."""
    try:
        yield
    except OperationError as error:
        raise HttpError(409, str(error)) from error


def _carried_out(operation: Operation) -> Status[OperationReply]:
    with _refusals():
        done = operations.carry_out(operation, seconds=SECONDS)
    return Status(202 if done.is_running else 200, replies.completed(done))
