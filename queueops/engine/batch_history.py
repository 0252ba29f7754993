"""The record of a settled batch: one audit row, one more per parked task, and its metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from psycopg.types.json import Jsonb

from lib import prepared_statements
from queueops.base import database_refusals
from queueops.models import AuditLog, Category, Event, Level, Metric

MESSAGE_CHARACTERS = 500
_TABLES = "embedding_audit_logs or performance_metrics"
# one statement and one round trip: the rows of a small batch cost more to send than to write
_WRITE = f"""
WITH logged AS (
    INSERT INTO embedding_audit_logs (category, message, metadata)
    VALUES ('{Category.ENGINE}', 'batch settled', %s::jsonb)
)
INSERT INTO performance_metrics (name, value, labels)
SELECT name, value, %s::jsonb FROM unnest(%s::text[], %s::float8[]) AS numbers (name, value)
"""  # noqa: S608  the only text put in is our own


def write(
    outcomes: Mapping[str, int],
    numbers: Mapping[str, float],
    labels: dict[str, Any],
    parked: Sequence[AuditLog],
) -> None:
    """Writes all rows of one batch in the caller's transaction: `outcomes` are counts by outcome, `numbers` values by
    metric name."""
    details = {name: count for name, count in outcomes.items() if count} | {"space": labels["space"]}
    with database_refusals.named(_TABLES), prepared_statements.cursor() as cursor:
        values: list[Any] = [Jsonb(details), Jsonb(labels), list(numbers), list(numbers.values())]
        cursor.execute(_WRITE, values)
    if parked:
        with database_refusals.named("embedding_audit_logs"):
            AuditLog.objects.bulk_create(parked)


def try_audit_row() -> None:
    """Writes an audit row and rolls back. Raises the database's error."""
    with transaction.atomic():
        AuditLog.objects.create(category=Category.ENGINE, message="probe")
        transaction.set_rollback(True)


def try_metric() -> None:
    """Writes a metric and rolls back. Raises the database's error."""
    with transaction.atomic():
        Metric.objects.create(name="probe", value=0.0)
        transaction.set_rollback(True)


def parked(task_id: int, article_id: int, attempts: int, error: str) -> AuditLog:
    """The audit row of a parked task; `error` names class and cause."""
    return AuditLog(
        category=Category.ENGINE,
        event=Event.PARKED,
        level=Level.ERROR,
        task_id=task_id,
        message=f"task parked {error}"[:MESSAGE_CHARACTERS],
        metadata={"attempts": attempts, "article_id": article_id},
    )
