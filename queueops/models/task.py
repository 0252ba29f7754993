"""The task: a durable row to bring an article up to date in a space."""

from datetime import UTC, datetime
from typing import Any, Self

from django.db import models
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Now

from articles.models import Article
from embeddings.models import Space


class Status(models.TextChoices):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Priority(models.TextChoices):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Outcome(models.TextChoices):
    """How a task ended, seen from its article."""

    EMBEDDED = "embedded"
    UNCHANGED = "unchanged"
    EMPTY = "empty"
    SUPERSEDED = "superseded"
    FAILED = "failed"


# Plain SQL may set any time; one that Python cannot represent would break every list with it.
_TIMES = (
    *("created_at", "scheduled_at", "schedule_set_at"),
    *("processed_at", "completed_at", "lease_expires_at"),
)
_READABLE = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
_RANKS = [When(priority=Priority.HIGH, then=Value(1)), When(priority=Priority.NORMAL, then=Value(2))]


class TaskQuerySet(models.QuerySet["Task"]):
    def pending(self) -> Self:
        return self.filter(status=Status.PENDING)

    def processing(self) -> Self:
        return self.filter(status=Status.PROCESSING)

    def failed(self) -> Self:
        return self.filter(status=Status.FAILED)

    def live(self) -> Self:
        """Not ended: pending, or held by a worker."""
        return self.filter(status__in=[Status.PENDING, Status.PROCESSING])

    def due(self) -> Self:
        return self.pending().filter(scheduled_at__lte=Now())

    def expired(self) -> Self:
        """Held past their lease: the worker died, hangs, or lost its connection."""
        return self.processing().filter(lease_expires_at__lt=Now())

    def newest_first(self) -> Self:
        return self.order_by("-id")


def _empty_object() -> dict[str, Any]:
    return {}


class Task(models.Model):
    article = models.ForeignKey(Article, on_delete=models.DB_CASCADE, related_name="tasks", db_index=False)
    slug = models.CharField(max_length=200, blank=True, default="", db_default="")
    space = models.ForeignKey(Space, on_delete=models.DB_CASCADE, related_name="tasks", db_index=False)
    status = models.CharField(
        max_length=16, choices=Status, default=Status.PENDING, db_default=Status.PENDING
    )
    priority = models.CharField(
        max_length=8, choices=Priority, default=Priority.NORMAL, db_default=Priority.NORMAL
    )
    priority_rank = models.GeneratedField(
        expression=Case(*_RANKS, default=Value(3)), output_field=models.SmallIntegerField(), db_persist=True
    )
    attempts = models.PositiveIntegerField(default=0, db_default=0)
    max_attempts = models.PositiveIntegerField(default=3, db_default=3)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    scheduled_at = models.DateTimeField(db_default=Now())
    # written by a trigger: a value later than now comes from a clock that was ahead (clock_repair.py)
    schedule_set_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="when scheduled_at was written, by any writer"
    )
    processed_at = models.DateTimeField(null=True, blank=True, help_text="when the newest attempt began")
    completed_at = models.DateTimeField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    claim_token = models.UUIDField(null=True, blank=True)
    claimed_by = models.CharField(max_length=120, blank=True, default="", db_default="")
    source_version = models.PositiveIntegerField(null=True, blank=True)
    content_hash = models.UUIDField(null=True, blank=True, help_text="the article's text this task is about")
    outcome = models.CharField(max_length=16, choices=Outcome, blank=True, default="", db_default="")
    error_class = models.CharField(max_length=32, blank=True, default="", db_default="")
    error_message = models.TextField(blank=True, default="", db_default="")
    losses = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="how often in a row a worker was lost with it"
    )
    is_alone = models.BooleanField(
        default=False,
        db_default=False,
        help_text="the worker that claimed it last held nothing else as long as it had it",
    )
    metadata = models.JSONField(
        blank=True,
        default=_empty_object,
        db_default=Value({}, models.JSONField()),
        help_text="holds the reason",
    )

    objects = TaskQuerySet.as_manager()

    class Meta:
        db_table = "embedding_tasks"
        permissions = [
            ("requeue_task", "Can requeue embedding tasks"),
            ("cancel_task", "Can cancel embedding tasks"),
        ]
        constraints = [
            # enqueue: a change merges into the pending task of its article
            models.UniqueConstraint(
                fields=["article", "space"], condition=Q(status="pending"), name="embedding_tasks_one_pending"
            ),
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="embedding_tasks_known_status"
            ),
            models.CheckConstraint(
                condition=Q(priority__in=Priority.values), name="embedding_tasks_known_priority"
            ),
            models.CheckConstraint(
                condition=Q(*((f"{time}__range", _READABLE) for time in _TIMES)),
                name="embedding_tasks_times_of_years_1_to_9999",
            ),
        ]
        indexes = [
            # claims.claim: the due tasks of a space, best rank first
            models.Index(
                fields=["space", "priority_rank", "scheduled_at", "id"],
                condition=Q(status="pending"),
                name="embedding_tasks_due",
            ),
            # claims.claim: the tasks that have waited longest, whatever their priority; health's oldest age
            models.Index(
                fields=["space", "scheduled_at"],
                condition=Q(status="pending"),
                name="embedding_tasks_waiting",
            ),
            # leases.renew, settle, sweep.return_expired and lists of running tasks. Not by the end of the lease: a
            # renewal would write to every index of the table
            models.Index(
                fields=["claim_token"], condition=Q(status="processing"), name="embedding_tasks_held"
            ),
            # sweep.enqueue_drift, explain and cascade: an article's tasks
            models.Index(fields=["article", "space", "-id"], name="embedding_tasks_article"),
            # claims.claim_on_trial: tasks lost with workers, most often first; health
            models.Index(
                fields=["space", "-losses", "id"],
                condition=Q(status="pending", losses__gt=0),
                name="embedding_tasks_lost",
            ),
            # lists of failed and cancelled tasks, newest first
            models.Index(
                fields=["status", "-id"],
                condition=Q(status__in=["failed", "cancelled"]),
                name="embedding_tasks_ended_badly",
            ),
            # snapshot.finished_lately and cleanup: by the time of completion
            models.Index(
                fields=["completed_at"],
                condition=Q(completed_at__isnull=False),
                name="embedding_tasks_completed",
            ),
        ]

    def __str__(self) -> str:
        return f"task {self.pk} ({self.status}): {self.slug}"

    @property
    def reason(self) -> str:
        """Why the task was created: edit, import, drift, …"""
        return str(self.metadata.get("reason", "")) if isinstance(self.metadata, dict) else ""
