"""Lists of tasks for admin, CLI and REST: pages by id, the last to end, and error classes among failures."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max
from django.db.models.functions import Now

from embeddings.models import Space
from queueops.models import Priority, Status, Task
from queueops.models.task import TaskQuerySet
from queueops.monitoring.open_failures import IS_OPEN
from queueops.monitoring.task_filter import UNKNOWN, TaskFilter

# Error classes are counted among this many of the newest failures.
NEWEST = 1_000


@dataclass(frozen=True)
class TaskRow:
    """A task as lists show it. `space` is the space's name, `reason` why the task was created. `is_open`: of a failed
    task, whether its article's current text has no vectors; None of others."""

    id: int
    slug: str
    status: str
    priority: str
    attempts: int
    max_attempts: int
    created_at: datetime
    scheduled_at: datetime
    processed_at: datetime | None
    completed_at: datetime | None
    lease_expires_at: datetime | None
    claimed_by: str
    outcome: str
    error_class: str
    error_message: str
    reason: str
    space: str
    is_open: bool | None = None

    @property
    def since(self) -> datetime:
        """Since when it has ended, is held by a worker, or is due."""
        if self.status == Status.PROCESSING:
            return self.processed_at or self.scheduled_at
        return self.completed_at or self.scheduled_at

    @property
    def seconds(self) -> float | None:
        """How long its last attempt took in seconds, if both ends are known."""
        if self.processed_at is None or self.completed_at is None:
            return None
        return (self.completed_at - self.processed_at).total_seconds()


@dataclass(frozen=True)
class Page:
    """Tasks, newest first; `next` is the `after` of the next page, None on the last one."""

    tasks: list[TaskRow]
    next: int | None


@dataclass(frozen=True)
class FailureKind:
    """One error class among the newest failures, UNKNOWN for none. `open` of its `tasks` have an article whose current
    text has no vectors. `newest` is the id of the newest such task, `message` its error."""

    error_class: str
    tasks: int
    open: int
    newest: int
    message: str


def page(
    status: Status,
    *,
    after: int | None = None,
    limit: int = 50,
    error_class: str = "",
    priority: Priority | None = None,
    only_open: bool = False,
) -> Page:
    """Tasks of a status, newest first; if `after` is given, those with a lower id."""
    wanted = TaskFilter(statuses=(status,), error_class=error_class, priority=priority or "", open=only_open)
    return selected(wanted, after=after, limit=limit)


def selected(selection: TaskFilter, *, after: int | None = None, limit: int = 50) -> Page:
    """The tasks that match a filter, in pages of the same kind."""
    tasks = selection.tasks(Now())
    if after is not None:
        tasks = tasks.filter(pk__lt=after)
    rows = _rows(tasks.newest_first()[: limit + 1])
    is_more = len(rows) > limit
    return Page(rows[:limit], rows[limit - 1].id if is_more else None)


def recent(limit: int) -> list[TaskRow]:
    """The tasks that ended last, with any outcome."""
    return _rows(Task.objects.filter(completed_at__isnull=False).order_by("-completed_at")[:limit])


def failure_kinds() -> list[FailureKind]:
    """The error classes among the newest failures, most frequent first."""
    newest = Task.objects.failed().newest_first().values("pk")[:NEWEST]
    counted = (
        Task.objects.filter(pk__in=newest)
        .values("error_class")
        .annotate(tasks=Count("pk"), open=Count("pk", filter=IS_OPEN), newest=Max("pk"))
        .order_by("-tasks", "error_class")
    )
    kinds = list(counted)
    messages = dict(
        Task.objects.filter(pk__in=[k["newest"] for k in kinds]).values_list("pk", "error_message")
    )
    return [
        FailureKind(
            **kind | {"error_class": kind["error_class"] or UNKNOWN}, message=messages.get(kind["newest"], "")
        )
        for kind in kinds
    ]


_FIELDS = [name for name in TaskRow.__dataclass_fields__ if name not in {"reason", "space", "is_open"}]


def _rows(tasks: TaskQuerySet) -> list[TaskRow]:
    spaces = {space.pk: str(space) for space in Space.objects.all()}
    rows = list(tasks.values(*_FIELDS, "metadata", "space_id"))
    failed = [row["id"] for row in rows if row["status"] == Status.FAILED]
    still_open = (
        set(Task.objects.filter(IS_OPEN, pk__in=failed).values_list("pk", flat=True)) if failed else set()
    )
    for row in rows:
        row["is_open"] = row["id"] in still_open if row["status"] == Status.FAILED else None
    return [_row(row, spaces) for row in rows]


def _row(row: dict[str, Any], spaces: dict[int, str]) -> TaskRow:
    metadata, space_id = row.pop("metadata"), row.pop("space_id")
    reason = str(metadata.get("reason", "")) if isinstance(metadata, dict) else ""
    return TaskRow(**row, reason=reason, space=spaces.get(space_id, str(space_id)))
