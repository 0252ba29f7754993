"""What happened and who did it: rows that are added and never changed."""

import uuid
from typing import Any

from django.db import models
from django.db.models import Value
from django.db.models.functions import Now

MAX_REASON = 500


class ReasonMissing(ValueError):
    """A change without a reason."""

    def __init__(self) -> None:
        super().__init__("give a reason; it is kept in the audit log")


class Level(models.TextChoices):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Category(models.TextChoices):
    """Which part of the product wrote a row."""

    OPERATOR = "operator"
    ENGINE = "engine"
    SWEEP = "sweep"
    ACCESS = "access"


class Event(models.TextChoices):
    """What a row says of its task, for programs; `message` says it to people and may be reworded."""

    NONE = "", "none of these"
    PARKED = "parked"
    RETURNED = "returned"
    REQUEUED = "requeued"
    CANCELLED = "cancelled"
    PRIORITIZED = "prioritized"
    CLEARED = "cleared"
    RELEASED = "released"
    QUEUED = "queued"
    PUT_BACK = "put back"
    COMPLETED = "completed"
    FAILED = "failed"


EVENTS = tuple(event.value for event in Event if event)


class AuditLog(models.Model):
    """The database refuses to update a row (migrations/0002); only retention and full removal delete."""

    timestamp = models.DateTimeField(db_default=Now())
    level = models.CharField(max_length=8, choices=Level, default=Level.INFO, db_default=Level.INFO)
    category = models.CharField(max_length=32, choices=Category)
    event = models.CharField(
        max_length=16, choices=Event, blank=True, default=Event.NONE, db_default=Event.NONE
    )
    message = models.TextField()
    metadata = models.JSONField(default=dict, blank=True, db_default=Value({}, models.JSONField()))
    task_id = models.BigIntegerField(
        null=True, blank=True, help_text="no foreign key: history outlives tasks"
    )
    actor = models.CharField(max_length=150, blank=True, default="", db_default="")
    operation_id = models.UUIDField(null=True, blank=True)

    class Meta:
        db_table = "embedding_audit_logs"
        indexes = [
            # the newest entries, and error analysis by time
            models.Index(fields=["-timestamp", "-id"], name="embedding_audit_newest"),
            # one task's story
            models.Index(
                fields=["task_id"], condition=models.Q(task_id__isnull=False), name="embedding_audit_task"
            ),
            # everything one operation did; undo walks it task by task
            models.Index(
                fields=["operation_id", "task_id"],
                condition=models.Q(operation_id__isnull=False),
                name="embedding_audit_operation",
            ),
            # the newest operations
            models.Index(
                fields=["-timestamp", "-operation_id"],
                condition=models.Q(operation_id__isnull=False, task_id__isnull=True),
                name="embedding_audit_operations",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.timestamp:%Y-%m-%d %H:%M:%S} {self.message}"

    @classmethod
    def write_event(
        cls, message: str, *, category: Category, level: Level, actor: str, details: dict[str, Any]
    ) -> None:
        """One row about something that is not an operation on tasks, such as a sign-in."""
        cls.objects.create(message=message, category=category, level=level, actor=actor, metadata=details)

    @classmethod
    def write_operation(
        cls,
        message: str,
        *,
        actor: str,
        reason: str,
        scope: dict[str, Any],
        task_ids: list[int] | None = None,
    ) -> uuid.UUID:
        """One operation in the caller's transaction: a row for it and one for each task it touched. `scope` names its
        verb, by which `queue_admin operations` lists it.

        Returns the operation's id, by which all its rows can be found.
        """
        operation = uuid.uuid4()
        details = {"reason": reason, "scope": scope}
        shared = {
            "category": Category.OPERATOR,
            "actor": actor,
            "operation_id": operation,
            "message": message,
        }
        rows = [AuditLog(**shared, metadata=details | {"tasks": len(task_ids or [])})]
        rows += [AuditLog(**shared, metadata=details, task_id=task_id) for task_id in task_ids or []]
        AuditLog.objects.bulk_create(rows, batch_size=1000)
        return operation


def tidy_reason(reason: str) -> str:
    """The reason on one line of bounded length; empty when there is none."""
    return " ".join(reason.split())[:MAX_REASON]


def needed_reason(reason: str) -> str:
    """The same for an act that must have one. Raises ReasonMissing."""
    if not (tidy := tidy_reason(reason)):
        raise ReasonMissing
    return tidy
