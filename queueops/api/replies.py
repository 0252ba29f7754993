"""Replies about the queue: the snapshot, tasks, and operations with how to resume them."""

from dataclasses import fields
from datetime import datetime
from typing import Any, Literal, TypedDict, get_type_hints
from uuid import UUID

from django.urls import reverse
from pydantic import BaseModel, create_model

from queueops.models import Operation
from queueops.monitoring import health, snapshot
from queueops.monitoring.health import Condition
from queueops.monitoring.snapshot import Snapshot
from queueops.operate.operations import Preview


def _model_of_snapshot() -> type[BaseModel]:
    """Every field of the snapshot, its health, and the values it derives."""
    hints = get_type_hints(Snapshot)
    own: dict[str, Any] = {field.name: (hints[field.name], ...) for field in fields(Snapshot)}
    derived = {"coverage": float, "count_limit": int, "eta": float | None}
    judged = {"status": Condition, "reasons": list[str], "notes": list[str]}
    more: dict[str, Any] = {name: (kind, ...) for name, kind in (judged | derived).items()}
    return create_model("QueueSnapshot", __doc__=Snapshot.__doc__, **own, **more)


QueueSnapshot = _model_of_snapshot()


def queue_now() -> dict[str, Any]:
    """The queue as in /stats and the command line."""
    now = snapshot.take()
    judged = health.judge(now)
    sentences = {"reasons": list(judged.reasons), "notes": list(judged.notes)}
    return {"status": judged.condition, **sentences, **now.as_dict()}


class OperationView(TypedDict):
    """An operation, on many tasks or a single one such as a stop, whose counts are 0. `total` was counted before it
    started; `skips` has the number of unchanged tasks per reason. `interrupted`: it has not ended, and no process is
    running it."""

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
    """Operations, newest first; `next` is the id to continue after, null on the last page."""

    operations: list[OperationView]
    next: UUID | None


class TaskSample(TypedDict):
    """One of the selected tasks."""

    id: int
    slug: str
    status: str


class OperationReply(TypedDict):
    """`operation` is null if nothing was started: in a dry run, which shows a `sample`, or if no task matches. `skips`
    has the number of unchanged tasks per reason. If it did not end within one request, POST to `resume_url`."""

    dry_run: bool
    total: int
    skips: dict[str, int]
    sample: list[TaskSample]
    operation: OperationView | None
    resume_url: str | None


class Switched(TypedDict):
    """The operation's id in the audit log."""

    operation: UUID


class Stopped(Switched):
    """How many worker processes were stopped, and how many tasks were released."""

    workers: int
    released: int


def previewed(found: Preview, *, dry_run: bool) -> OperationReply:
    """The reply if no operation was started."""
    sample: list[TaskSample] = [
        {"id": task.pk, "slug": task.slug, "status": task.status} for task in found.sample
    ]
    return {
        "dry_run": dry_run,
        "total": found.total,
        "skips": found.skips,
        "sample": sample,
        "operation": None,
        "resume_url": None,
    }


def completed(operation: Operation) -> OperationReply:
    """The reply for an operation, whether it has ended or not."""
    resume_url = reverse("api:resume_operation", args=[operation.pk]) if operation.is_running else None
    return {
        "dry_run": False,
        "total": operation.total,
        "skips": operation.skips,
        "sample": [],
        "operation": view(operation),
        "resume_url": resume_url,
    }


def view(operation: Operation) -> OperationView:
    """One operation on many tasks."""
    return view_of(operation.as_dict())


def view_of(row: dict[str, Any]) -> OperationView:
    """One operation of the list of all."""
    found: OperationView = row  # type: ignore[assignment]
    return found
