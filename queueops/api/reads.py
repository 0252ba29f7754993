"""Reads over HTTP: the queue as a whole, its tasks page by page, one task in full, and operations."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest
from ninja import Query, Router
from ninja.errors import HttpError

from queueops.api import replies
from queueops.api.fields import OperationsAsked, TaskInPath, TasksAsked
from queueops.models import Operation, Task
from queueops.monitoring import task_lists, task_report
from queueops.monitoring.task_lists import Page
from queueops.monitoring.task_report import TaskReport
from queueops.operate import operations
from queueops.operate.operations import OperationError


def add_routes(router: Router, may_read: Callable[[HttpRequest], bool]) -> None:
    """GET /queue and below."""

    @router.get("", response=replies.QueueSnapshot, summary="Read the state of the queue and its health")
    def read_queue(request: HttpRequest) -> dict[str, Any]:
        return replies.queue_now()

    @router.get("/tasks", response=Page, summary="List tasks, newest first")
    def list_tasks(request: HttpRequest, asked: Query[TasksAsked]) -> Page:
        return task_lists.selected(asked.selection(), after=asked.after or None, limit=asked.limit)

    @router.get(
        "/tasks/{task_id}",
        response=TaskReport,
        summary="Read everything about a task, and why it is not running",
    )
    def read_task(request: HttpRequest, task_id: TaskInPath) -> TaskReport:
        try:
            found = task_report.of(task_id)
        except Task.DoesNotExist as error:
            raise no_task(task_id) from error
        return found if may_read(request) else _without_title(found)

    @router.get("/operations", response=replies.OperationPage, summary="List operations, newest first")
    def list_operations(request: HttpRequest, asked: Query[OperationsAsked]) -> replies.OperationPage:
        found = list(_after(asked.after or None)[: asked.limit + 1])
        shown = found[: asked.limit]
        following = shown[-1].pk if len(found) > asked.limit else None
        return {"operations": [replies.view(each) for each in shown], "next": following}

    @router.get("/operations/{operation_id}", response=replies.OperationView, summary="Read an operation")
    def read_operation(request: HttpRequest, operation_id: UUID) -> replies.OperationView:
        return replies.view(operation_or_404(operation_id))


def _without_title(found: TaskReport) -> TaskReport:
    """The report for callers without the scope `read`: the slug identifies the article."""
    return replace(found, article=replace(found.article, title=""))


def _after(operation_id: UUID | None) -> Any:
    """Operations in order; none after one that does not exist."""
    rows = Operation.objects.newest_first()
    if operation_id is None:
        return rows
    if (last := Operation.objects.filter(pk=operation_id).first()) is None:
        return rows.none()
    earlier = Q(started_at__lt=last.started_at)
    return rows.filter(earlier | Q(started_at=last.started_at, pk__lt=last.pk))


def no_task(task_id: int) -> HttpError:
    """A 404 for an unknown task."""
    return HttpError(404, f"task {task_id} not found: it may have been removed, or its article deleted")


def operation_or_404(operation_id: UUID) -> Operation:
    """The operation. Raises a 404."""
    try:
        return operations.find(operation_id)
    except OperationError as error:
        raise HttpError(404, str(error)) from error
