"""Cleanup: removes completed tasks, audit rows and metrics past their retention, in small batches."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection

from queueops.models.metric import NAMES_SQL

# A statement holds its row locks until it ends, so the batch size adapts to this duration on any machine.
_LEAST, _MOST = 100, 2_000
_SECONDS_PER_STATEMENT = 0.1
_SECONDS_MOST = 5.0


@dataclass(frozen=True)
class Removed:
    """Removed rows by kind."""

    tasks: int = 0
    audit_rows: int = 0
    metrics: int = 0

    @property
    def total(self) -> int:
        return self.tasks + self.audit_rows + self.metrics

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(
            self.tasks + other.tasks, self.audit_rows + other.audit_rows, self.metrics + other.metrics
        )

    def __str__(self) -> str:
        return f"{self.tasks:,} completed tasks, {self.audit_rows:,} audit rows and {self.metrics:,} metrics"


# One process per interval leads, the first to update the row: for one minute, until all is done. The next leader
# continues what a dead one, or one out of time, has left. A time in the future is from another clock, and due.
_LEAD = """
INSERT INTO queue_state (id, cleaned_at) VALUES (1, {until})
ON CONFLICT (id) DO UPDATE SET cleaned_at = {until}
WHERE queue_state.cleaned_at IS NULL
   OR queue_state.cleaned_at <= statement_timestamp() - %(hours)s * interval '1 hour'
   OR queue_state.cleaned_at > clock_timestamp()
RETURNING id
""".format(until="statement_timestamp() - %(hours)s * interval '1 hour' + interval '1 minute'")
_IS_DONE = "UPDATE queue_state SET cleaned_at = statement_timestamp()"
# Failed and cancelled tasks stay: they keep the sweep from queueing again what was ended on purpose.
_OLD_TASKS = "completed_at < statement_timestamp() - %(age)s * interval '1 second' AND status = 'completed'"
_OLD = "timestamp < statement_timestamp() - %(age)s * interval '1 second'"
# Metrics are indexed by name first.
_COUNT = f"""
{NAMES_SQL}
SELECT (SELECT count(*) FROM embedding_tasks WHERE {_OLD_TASKS}),
       (SELECT count(*) FROM embedding_audit_logs WHERE {_OLD}),
       (SELECT coalesce(sum(old.count), 0)::bigint FROM names, LATERAL (
            SELECT count(*) FROM performance_metrics WHERE name = names.name AND {_OLD}) old)
"""  # noqa: S608  the only text put in is our own
_DELETES = {
    "tasks": f"""
    DELETE FROM embedding_tasks WHERE id IN (
        SELECT id FROM embedding_tasks WHERE {_OLD_TASKS}
        ORDER BY completed_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
    """,  # noqa: S608  the only text put in is our own
    "audit_rows": f"""
    DELETE FROM embedding_audit_logs WHERE id IN (
        SELECT id FROM embedding_audit_logs WHERE {_OLD} ORDER BY timestamp LIMIT %(batch)s)
    """,  # noqa: S608
    "metrics": f"""
    {NAMES_SQL}
    DELETE FROM performance_metrics WHERE id IN (
        SELECT old.id FROM names, LATERAL (
            SELECT id FROM performance_metrics WHERE name = names.name AND {_OLD}
            ORDER BY timestamp LIMIT %(batch)s) old
        LIMIT %(batch)s)
    """,  # noqa: S608
}


def clean_if_leader() -> int:
    """Removes rows past their retention, unless a process did so within the interval or is doing so; returns how many.
    Takes a few seconds at most; the rest is removed one minute later."""
    with connection.cursor() as cursor:
        cursor.execute(_LEAD, {"hours": settings.EMBEDDING_CLEANUP_INTERVAL})
        if cursor.fetchone() is None:
            return 0
        ends, removed = time.monotonic() + _SECONDS_MOST, 0
        for batch in batches(kept_for()):
            removed += batch.total
            if time.monotonic() >= ends:
                return removed
        cursor.execute(_IS_DONE)
    return removed


def kept_for() -> timedelta:
    """The retention in the settings."""
    return timedelta(days=settings.EMBEDDING_CLEANUP_RETENTION_DAYS)


def clean(age: timedelta) -> Removed:
    """Removes all rows that ended longer ago than `age`, however long that takes."""
    return sum(batches(age), Removed())


def past(age: timedelta) -> Removed:
    """Counts the rows that ended longer ago than `age`."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"age": age.total_seconds()})
        return Removed(*cursor.fetchone())


def batches(age: timedelta) -> Iterator[Removed]:
    """Removes all rows that ended longer ago than `age`, one bounded statement per step; each commits by itself, so the
    caller may stop after any step."""
    for kind, delete in _DELETES.items():
        size, count = _MOST, _MOST
        while count == size:
            began = time.monotonic()
            with connection.cursor() as cursor:
                cursor.execute(delete, {"age": age.total_seconds(), "batch": size})
                count = cursor.rowcount
            yield Removed(**{kind: count})
            if count == size:
                size = count = next_size(size, time.monotonic() - began)


def next_size(size: int, seconds: float) -> int:
    """The number of rows for the next statement, after one of `size` rows took `seconds`."""
    return min(max(int(size * _SECONDS_PER_STATEMENT / max(seconds, 0.001)), _LEAST), _MOST)
