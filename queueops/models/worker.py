"""One row per worker process: its last sign of life, and whether it may claim."""

from typing import Self

from django.db import models
from django.db.models.functions import Now


class WorkerQuerySet(models.QuerySet["Worker"]):
    def stopped(self) -> Self:
        """Stopped from claiming, by an operator or by plain SQL."""
        return self.filter(is_running=False)


class Worker(models.Model):
    """`is_running` is the brake: once it is false, however set, the process stops claiming."""

    name = models.CharField(max_length=120, blank=True, default="", db_default="")
    is_running = models.BooleanField(default=True, db_default=True)
    started_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())
    last_claim_at = models.DateTimeField(null=True, blank=True)
    tasks_done = models.PositiveBigIntegerField(default=0, db_default=0)
    tasks_failed = models.PositiveBigIntegerField(default=0, db_default=0)
    # why the database does not accept this process's vectors, and since when; empty while it does
    refusal = models.TextField(blank=True, default="", db_default="")
    refused_since = models.DateTimeField(null=True, blank=True)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        db_table = "embedding_worker_status"

    def __str__(self) -> str:
        return self.name or f"worker {self.pk}"
