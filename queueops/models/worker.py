"""One row per worker process: its last sign of life, and whether it may claim."""

from typing import Self

from django.db import models
from django.db.models.functions import Now

ROW_FOR_ALL = 1
# Row 1, or another row without a name: an operator wrote it with plain SQL, and no process has it.
BRAKES_ALL_SQL = "NOT is_running AND (id = 1 OR name = '')"


class WorkerQuerySet(models.QuerySet["Worker"]):
    def stopped(self) -> Self:
        """Stopped from claiming, by an operator or by plain SQL."""
        return self.filter(is_running=False)

    def braking_all(self) -> Self:
        """BRAKES_ALL_SQL: those that stop every process."""
        return self.stopped().filter(models.Q(pk=ROW_FOR_ALL) | models.Q(name=""))

    def of_no_process(self) -> Self:
        """Written with plain SQL."""
        return self.filter(name="")


class Worker(models.Model):
    """`is_running` is the brake: once it is false, however set, the process stops claiming. False in row 1, or in a row
    that no process has, it stops every process: the table of other systems has one row for all."""

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
