"""Reads over HTTP: the queue as a whole, its tasks page by page, one task in full, operations and the audit log."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router
from ninja.errors import HttpError

from lib.query_parameters import refuse_unknown
from queueops.api import replies
from queueops.api.fields import AuditAsked, OperationsAsked, TaskInPath, TasksAsked
from queueops.models import Operation, Task
from queueops.monitoring import audit_list, operation_list, task_lists, task_report
from queueops.monitoring.audit_list import AuditPage
from queueops.monitoring.operation_list import OperationFilter
from queueops.monitoring.task_lists import Page
from queueops.monitoring.task_report import TaskReport
from queueops.operate import operations
from queueops.operate.operations import OperationError


def add_routes(router: Router, may_read: Callable[[HttpRequest], bool]) -> None:
    """GET /queue and below."""
    _add_tasks(router, may_read)
    _add_operations(router)


def _add_tasks(router: Router, may_read: Callable[[HttpRequest], bool]) -> None:
    @router.get("", response=replies.QueueSnapshot, summary="Read the state of the queue and its health")
    def read_queue(request: HttpRequest) -> dict[str, Any]:
        """The same figures as `/stats`, the command line and the admin."""
        return replies.queue_now()

    @router.get("/tasks", response=Page, summary="List tasks, newest first")
    def list_tasks(request: HttpRequest, asked: Query[TasksAsked]) -> Page:
        """Tasks that match every given field, page by page: `next` is the `after` of the next page."""
        refuse_unknown(request, TasksAsked)
        return task_lists.selected(asked.selection(), after=asked.after or None, limit=asked.limit)

    @router.get(
        "/tasks/{task_id}",
        response=TaskReport,
        summary="Read everything about a task, and why it is not running",
    )
    def read_task(request: HttpRequest, task_id: TaskInPath) -> TaskReport:
        """Its attempts, errors and audit rows. The article's title only with the scope `read`."""
        try:
            found = task_report.of(task_id)
        except Task.DoesNotExist as error:
            raise no_task(task_id) from error
        return found if may_read(request) else _without_title(found)


def _add_operations(router: Router) -> None:
    @router.get("/operations", response=replies.OperationPage, summary="List operations, newest first")
    def list_operations(request: HttpRequest, asked: Query[OperationsAsked]) -> replies.OperationPage:
        """Operations that match every given field, page by page: `next` is the `after` of the next page."""
        refuse_unknown(request, OperationsAsked)
        rows, following = operation_list.page(asked.selection(), after=asked.after or None, limit=asked.limit)
        return {"operations": [replies.view_of(row) for row in rows], "next": following}

    @router.get("/operations/{operation_id}", response=replies.OperationView, summary="Read an operation")
    def read_operation(request: HttpRequest, operation_id: UUID) -> replies.OperationView:
        """Its progress, and the number of unchanged tasks per reason."""
        rows, _ = operation_list.page(OperationFilter(id=operation_id), limit=1)
        return replies.view_of(rows[0]) if rows else replies.view(operation_or_404(operation_id))

    @router.get("/audit", response=AuditPage, summary="List the audit log, newest first")
    def list_audit(request: HttpRequest, asked: Query[AuditAsked]) -> AuditPage:
        """Rows that match every given field, page by page: `next` is the `after` of the next page."""
        refuse_unknown(request, AuditAsked)
        return audit_list.page(asked.selection(), after=asked.after or None, limit=asked.limit)


def _without_title(found: TaskReport) -> TaskReport:
    """The report for callers without the scope `read`: the slug identifies the article."""
    return replace(found, article=replace(found.article, title=""))


def no_task(task_id: int) -> HttpError:
    """A 404 for an unknown task."""
    return HttpError(404, f"task {task_id} not found: it may have been removed, or its article deleted")


def operation_or_404(operation_id: UUID) -> Operation:
    """The operation. Raises a 404."""
    try:
        return operations.find(operation_id)
    except OperationError as error:
        raise HttpError(404, str(error)) from error
