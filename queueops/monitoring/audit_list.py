"""The audit log, newest first and page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now

from queueops.models import AuditLog, Category

# A page reads at most this many rows: hardly any may match, and the log has a row for each task of an operation.
READ_MOST = 100_000


@dataclass(frozen=True)
class AuditFilter:
    """Entries that match every given field."""

    level: str = ""
    category: str = ""
    event: str = ""
    actor: str = ""
    operation: UUID | None = None
    task: int | None = None
    newer_than: timedelta | None = None
    without_access: bool = False

    @property
    def has_index(self) -> bool:
        return self.operation is not None or self.task is not None


@dataclass(frozen=True)
class Entry:
    """A row of the audit log."""

    id: int
    timestamp: datetime
    level: str
    category: str
    event: str
    message: str
    actor: str
    reason: str
    task_id: int | None
    operation_id: UUID | None
    metadata: Any


@dataclass(frozen=True)
class AuditPage:
    """`next` is the id to continue after, None on the last page. A page may hold fewer entries than asked for, or none,
    and have a next one: it reads a bounded number of rows."""

    entries: Sequence[Entry]
    next: int | None


def page(which: AuditFilter, *, after: int | None = None, limit: int) -> AuditPage:
    """The entries before `after`, or the newest."""
    rows = AuditLog.objects.order_by("-id")
    if after:
        rows = rows.filter(id__lt=after)
    last_read = None if which.has_index else _last_read(rows)
    if last_read is not None:
        rows = rows.filter(id__gte=last_read)
    found = list(_fitting(rows, which)[: limit + 1])
    if len(found) > limit:
        return AuditPage([_entry(row) for row in found[:limit]], found[limit - 1].pk)
    return AuditPage([_entry(row) for row in found], None if _is_over(last_read, which) else last_read)


def _last_read(rows: QuerySet[AuditLog]) -> int | None:
    """The id at which reading ends; None if it reaches the oldest row."""
    ids = list(rows.values_list("id", flat=True)[READ_MOST - 1 : READ_MOST + 1])
    return ids[0] if len(ids) > 1 else None


def _is_over(last_read: int | None, which: AuditFilter) -> bool:
    """Whether all rows that are left are older than the filter allows."""
    if last_read is None or which.newer_than is None:
        return last_read is None
    return not AuditLog.objects.filter(pk=last_read, timestamp__gte=Now() - which.newer_than).exists()


def _fitting(rows: QuerySet[AuditLog], which: AuditFilter) -> QuerySet[AuditLog]:
    given = {
        "level": which.level,
        "category": which.category,
        "event": which.event,
        "actor": which.actor,
        "operation_id": which.operation,
        "task_id": which.task,
    }
    rows = rows.filter(**{name: value for name, value in given.items() if value})
    if which.newer_than is not None:
        rows = rows.filter(timestamp__gte=Now() - which.newer_than)
    return rows.exclude(category=Category.ACCESS) if which.without_access else rows


def _entry(row: AuditLog) -> Entry:
    reason = row.metadata.get("reason", "") if isinstance(row.metadata, dict) else ""
    same = (
        "id",
        "timestamp",
        "level",
        "category",
        "event",
        "message",
        "actor",
        "task_id",
        "operation_id",
        "metadata",
    )
    return Entry(reason=str(reason), **{name: getattr(row, name) for name in same})
