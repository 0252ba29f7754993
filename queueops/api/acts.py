"""What operators do to tasks over HTTP: each act is an operation, worked off for a bounded time in its request."""

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
from queueops.api.replies import ActReply
from queueops.models import Operation, Task, Verb
from queueops.models import Status as TaskStatus
from queueops.models.operation import MOVED_ON
from queueops.monitoring.task_filter import SelectionError, TaskFilter
from queueops.operate import operations
from queueops.operate.operations import OperationError

# A request works no longer than this and one more batch: some ten thousand tasks. What is left waits to be resumed.
SECONDS = 5.0

_REPLIES = {200: ActReply, 202: ActReply}


def add_routes(router: Router) -> None:
    """POST below /queue, where tasks are changed."""
    _add_bulk(router)
    _add_single(router)
    _add_operations(router)


def _add_bulk(router: Router) -> None:
    @router.post("/retry", response=_REPLIES, summary="Let failed tasks wait again; cancelled ones if named")
    def retry(request: HttpRequest, act: BulkRequest) -> Status[ActReply]:
        return _act(request, Verb.REQUEUE, act, _selected(act.filter).or_only(TaskStatus.FAILED))

    @router.post("/cancel", response=_REPLIES, summary="Cancel tasks that wait or are in work")
    def cancel(request: HttpRequest, act: BulkRequest) -> Status[ActReply]:
        return _act(request, Verb.CANCEL, act, _selected(act.filter))

    @router.post("/prioritize", response=_REPLIES, summary="Put tasks that have not ended into a lane")
    def prioritize(request: HttpRequest, act: Prioritize) -> Status[ActReply]:
        return _act(request, Verb.PRIORITIZE, act, _selected(act.filter), priority=act.priority)

    @router.post(
        "/clear",
        response=_REPLIES,
        summary="Cancel what waits; with `status` or `all`, remove what has ended",
    )
    def clear(request: HttpRequest, act: BulkRequest) -> Status[ActReply]:
        chosen = _selected(act.filter)
        return _act(
            request, Verb.CLEAR, act, chosen if act.filter.all else chosen.or_only(TaskStatus.PENDING)
        )


def _add_single(router: Router) -> None:
    @router.post("/tasks/{task_id}/retry", response=_REPLIES, summary="Let a task wait again")
    def retry_task(request: HttpRequest, task_id: TaskInPath, why: Why) -> Status[ActReply]:
        return _act_on_one(request, Verb.REQUEUE, task_id, why)

    @router.post("/tasks/{task_id}/cancel", response=_REPLIES, summary="Cancel a task")
    def cancel_task(request: HttpRequest, task_id: TaskInPath, why: Why) -> Status[ActReply]:
        return _act_on_one(request, Verb.CANCEL, task_id, why)


def _add_operations(router: Router) -> None:
    @router.post(
        "/operations/{operation_id}/undo", response=_REPLIES, summary="Take back what has not moved on"
    )
    def undo(request: HttpRequest, operation_id: UUID, why: Undo) -> Status[ActReply]:
        operation_or_404(operation_id)
        with _refusals():
            undone = operations.undoable(operation_id)
        return _act(request, Verb.UNDO, why, TaskFilter(), undoes=undone)

    @router.post(
        "/operations/{operation_id}/resume", response=_REPLIES, summary="Go on with what was interrupted"
    )
    def resume(request: HttpRequest, operation_id: UUID) -> Status[ActReply]:
        operation_or_404(operation_id)
        with _refusals():
            resumed = operations.resumable(operation_id)
        return _carried_out(resumed)

    @router.post(
        "/operations/{operation_id}/stop", response=replies.OperationView, summary="End it where it stands"
    )
    def stop(request: HttpRequest, operation_id: UUID) -> replies.OperationView:
        operation_or_404(operation_id)
        with _refusals():
            stopped = operations.stop(operation_id, actor=actor(request))
        return replies.told(stopped)


def _selected(chosen: Filter) -> TaskFilter:
    return chosen.selection(tuple(chosen.ids) or None)


def _act(
    request: HttpRequest, verb: Verb, said: BulkRequest | Undo, selection: TaskFilter, **deed: Any
) -> Status[ActReply]:
    try:
        found = operations.preview(verb, selection, **deed, is_judged=said.dry_run)
    except SelectionError as error:
        raise HttpError(409, str(error)) from error  # well formed; it is at odds with what there is
    if said.dry_run or not found.doable:
        return Status(200, replies.looked(found, dry_run=said.dry_run))
    return _carried_out(operations.begin(verb, selection, actor=actor(request), reason=said.reason, **deed))


def _act_on_one(request: HttpRequest, verb: Verb, task_id: int, why: Why) -> Status[ActReply]:
    if (status := Task.objects.filter(pk=task_id).values_list("status", flat=True).first()) is None:
        raise no_task(task_id)
    possible = [each.value for each in operations.POLICIES[verb].statuses]
    if status not in possible:
        raise HttpError(
            409, f"task {task_id} is {status}; this can be done to a task that is {_or(possible)}"
        )
    begun = operations.begin(verb, TaskFilter(ids=(task_id,)), actor=actor(request), reason=why.reason)
    reply = _carried_out(begun)
    done = reply.value["operation"]
    if done and done["state"] == "done" and not done["changed"]:
        raise HttpError(409, f"task {task_id} was not {verb.acted}: {next(iter(done['skips']), MOVED_ON)}")
    return reply


@contextmanager
def _refusals() -> Iterator[None]:
    """What an operation does not allow as it stands is a conflict."""
    try:
        yield
    except OperationError as error:
        raise HttpError(409, str(error)) from error


def _or(words: list[str]) -> str:
    return " or ".join(words)


def _carried_out(operation: Operation) -> Status[ActReply]:
    with _refusals():
        done = operations.carry_out(operation, seconds=SECONDS)
    return Status(202 if done.is_running else 200, replies.acted(done))
