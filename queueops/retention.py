"""What has ended long ago is removed, in small batches: completed tasks, audit rows and metrics."""

import time
from datetime import timedelta

from django.conf import settings
from django.db import connection

_BATCH = 2_000
_SECONDS_MOST = 5.0

# One process an interval, by a row that whoever is first takes.
_LEAD = """
INSERT INTO queue_state (id, cleaned_at) VALUES (1, statement_timestamp())
ON CONFLICT (id) DO UPDATE SET cleaned_at = statement_timestamp()
WHERE queue_state.cleaned_at IS NULL
   OR queue_state.cleaned_at <= statement_timestamp() - %s * interval '1 hour'
RETURNING id
"""
# Failed and cancelled tasks stay: they keep the sweep from beginning again what was ended on purpose.
_DELETES = (
    """
    DELETE FROM embedding_tasks WHERE id IN (
        SELECT id FROM embedding_tasks
        WHERE completed_at < statement_timestamp() - %(age)s * interval '1 second' AND status = 'completed'
        ORDER BY completed_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
    """,
    """
    DELETE FROM embedding_audit_logs WHERE id IN (
        SELECT id FROM embedding_audit_logs
        WHERE timestamp < statement_timestamp() - %(age)s * interval '1 second'
        ORDER BY timestamp LIMIT %(batch)s)
    """,
    """
    DELETE FROM performance_metrics WHERE id IN (
        SELECT id FROM performance_metrics
        WHERE timestamp < statement_timestamp() - %(age)s * interval '1 second'
        ORDER BY timestamp LIMIT %(batch)s)
    """,
)


def clean_if_leader() -> int:
    """Removes what is past its retention, unless that was done within the interval; answers how many rows."""
    with connection.cursor() as cursor:
        cursor.execute(_LEAD, [settings.EMBEDDING_CLEANUP_INTERVAL])
        if cursor.fetchone() is None:
            return 0
    return clean(timedelta(days=settings.EMBEDDING_CLEANUP_RETENTION_DAYS))


def clean(age: timedelta) -> int:
    """Removes what ended longer ago than `age`, a batch a statement, for a few seconds at most; answers how many rows.

    What is left then goes the next time.
    """
    ends, removed = time.monotonic() + _SECONDS_MOST, 0
    for delete in _DELETES:
        count = _BATCH
        while count == _BATCH and time.monotonic() < ends:
            with connection.cursor() as cursor:
                cursor.execute(delete, {"age": age.total_seconds(), "batch": _BATCH})
                count = cursor.rowcount
            removed += count
    return removed
