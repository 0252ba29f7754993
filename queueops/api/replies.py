"""What is answered about the queue: the snapshot, tasks, and operations with how to go on."""

from dataclasses import fields
from datetime import datetime
from typing import Any, Literal, TypedDict, get_type_hints
from uuid import UUID

from pydantic import BaseModel, create_model

from queueops.models import Operation
from queueops.monitoring import health, snapshot
from queueops.monitoring.health import Condition
from queueops.monitoring.snapshot import Snapshot
from queueops.operate.operations import Preview


def _model_of_snapshot() -> type[BaseModel]:
    """Whatever the snapshot has, its verdict, and what it derives."""
    hints = get_type_hints(Snapshot)
    told: dict[str, Any] = {field.name: (hints[field.name], ...) for field in fields(Snapshot)}
    derived = {"coverage": float, "count_limit": int, "eta": float | None}
    judged = {"status": Condition, "reasons": list[str]}
    more: dict[str, Any] = {name: (kind, ...) for name, kind in (judged | derived).items()}
    return create_model("QueueSnapshot", __doc__=Snapshot.__doc__, **told, **more)


QueueSnapshot = _model_of_snapshot()


def queue_now() -> dict[str, Any]:
    """The queue as /stats and the shell tell it."""
    now = snapshot.take()
    judged = health.judge(now)
    return {"status": judged.condition, "reasons": list(judged.reasons), **now.as_dict()}


class OperationView(TypedDict):
    """An act on tasks. `total` were counted before it began; `skips` has why some were not changed, and how many.
    `interrupted`: it has not ended, and nobody works on it."""

    id: UUID
    verb: str
    state: Literal["running", "interrupted", "done", "cancelled"]
    actor: str
    reason: str
    scope: dict[str, Any]
    priority: str
    undoes: UUID | None
    total: int
    changed: int
    skipped: int
    skips: dict[str, int]
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class OperationPage(TypedDict):
    """Operations, the newest first; `next` is the id to ask on from, null on the last page."""

    operations: list[OperationView]
    next: UUID | None


class TaskSample(TypedDict):
    """One of the tasks that an act is about."""

    id: int
    slug: str
    status: str


class ActReply(TypedDict):
    """`operation` is null where nothing was begun: in a dry run, which shows a `sample`, and where no task fits. Of the
    `total`, `skips` are those that are not changed, and why. Where it did not end within the time of one request,
    `go_on` is what to POST to."""

    dry_run: bool
    total: int
    skips: dict[str, int]
    sample: list[TaskSample]
    operation: OperationView | None
    go_on: str | None


class Switched(TypedDict):
    """The id by which the audit log has it."""

    operation: UUID


class Stopped(Switched):
    """How many worker processes were told, and how many tasks were taken from them."""

    workers: int
    released: int


def looked(found: Preview, *, dry_run: bool) -> ActReply:
    """For an act that was not begun."""
    sample: list[TaskSample] = [
        {"id": task.pk, "slug": task.slug, "status": task.status} for task in found.sample
    ]
    return {
        "dry_run": dry_run,
        "total": found.total,
        "skips": found.skips,
        "sample": sample,
        "operation": None,
        "go_on": None,
    }


def acted(operation: Operation) -> ActReply:
    """For an act that was begun, whether it has ended or not."""
    go_on = f"/api/queue/operations/{operation.pk}/resume" if operation.is_running else None
    return {
        "dry_run": False,
        "total": operation.total,
        "skips": operation.skips,
        "sample": [],
        "operation": told(operation),
        "go_on": go_on,
    }


def told(operation: Operation) -> OperationView:
    """One operation."""
    view: OperationView = operation.as_dict()  # type: ignore[assignment]
    return view
