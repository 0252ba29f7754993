"""The one row with the queue's mode and pause, and who set them and why."""

from typing import Any

from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Now

from queueops.base import installed


class Mode(models.TextChoices):
    QUEUED = "queued"
    SYNCHRONOUS = "synchronous"
    DISABLED = "disabled"


class QueueState(models.Model):
    id = models.PositiveSmallIntegerField(primary_key=True, default=1, db_default=1)
    mode = models.CharField(
        max_length=16,
        choices=Mode,
        blank=True,
        default="",
        db_default="",
        help_text="empty: as the settings say",
    )
    is_paused = models.BooleanField(default=False, db_default=False)
    reason = models.TextField(blank=True, default="", db_default="")
    changed_by = models.CharField(max_length=150, blank=True, default="", db_default="")
    changed_at = models.DateTimeField(db_default=Now())
    # separate from those of the pause: both can be set at once
    mode_reason = models.TextField(blank=True, default="", db_default="")
    mode_changed_by = models.CharField(max_length=150, blank=True, default="", db_default="")
    mode_changed_at = models.DateTimeField(null=True, blank=True)
    swept_at = models.DateTimeField(null=True, blank=True, editable=False)
    cleaned_at = models.DateTimeField(null=True, blank=True, editable=False)
    # drift: the id of the last article that was checked
    drift_after = models.BigIntegerField(default=0, db_default=0, editable=False)
    # write_outages: when expired leases were last returned, and until when they are not, after an outage
    leases_returned_at = models.DateTimeField(null=True, blank=True, editable=False)
    grace_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        db_table = "queue_state"
        verbose_name_plural = "queue state"
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="queue_state_one_row"),
            models.CheckConstraint(condition=Q(mode__in=["", *Mode.values]), name="queue_state_known_mode"),
        ]

    def __str__(self) -> str:
        return "paused" if self.is_paused else "running"

    @staticmethod
    def ensure_row(**_: Any) -> None:
        """Listens to post_migrate: creates the row if it is missing."""
        if installed.look():
            with connection.cursor() as cursor:  # plain SQL: the table may be older than the model
                cursor.execute("INSERT INTO queue_state DEFAULT VALUES ON CONFLICT (id) DO NOTHING")
