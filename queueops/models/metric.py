"""Metrics over time: one row per batch and per sample, never per task."""

from django.db import models
from django.db.models import Value
from django.db.models.functions import Now

# CTE of the distinct names, found one after another in the index, whose first column it is.
NAMES_SQL = """
WITH RECURSIVE names AS (
    SELECT min(name) AS name FROM performance_metrics
    UNION ALL
    SELECT (SELECT min(name) FROM performance_metrics WHERE name > names.name) FROM names
    WHERE names.name IS NOT NULL
)"""

# A worker's recurring step that the database refuses or a lock holds up; labels: step, reason.
STEP_REFUSED = "housekeeping_refused"
STATUS_TABLE = "embedding_worker_status"
STATUS_STEP = f"update their rows of {STATUS_TABLE}"
PROVIDER_STEP = "share the state of a provider"
BUDGET_STEP = "reserve a provider's budget"


class Metric(models.Model):
    timestamp = models.DateTimeField(db_default=Now())
    name = models.CharField(max_length=64)
    value = models.FloatField()
    labels = models.JSONField(default=dict, blank=True, db_default=Value({}, models.JSONField()))

    class Meta:
        db_table = "performance_metrics"
        indexes = [
            # one metric over time, newest first; retention
            models.Index(fields=["name", "-timestamp"], name="performance_metrics_course")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.value:g}"
