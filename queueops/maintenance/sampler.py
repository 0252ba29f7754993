"""Samples of the queue's state over time: one worker writes them once per minute."""

import time
from datetime import timedelta

from django.db import connection, transaction

from embeddings.models import Space
from embeddings.storage import coverage
from queueops.models import Metric, Status
from queueops.monitoring import open_failures, search_coverage, snapshot

INTERVAL = timedelta(minutes=1)
_UNDONE = (Status.PENDING, Status.PROCESSING, Status.FAILED)
_TOOK = "sampling_seconds"
# Counting the articles of a large corpus takes seconds: at most a twentieth of the time is spent on it.
_SHARE = 20
_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('vectorpress:sampling'))"
_IS_DUE = """
SELECT NOT EXISTS (SELECT 1 FROM (
    SELECT timestamp, value FROM performance_metrics WHERE name = %s AND timestamp <= statement_timestamp()
    ORDER BY timestamp DESC LIMIT 1) last
    WHERE last.timestamp + GREATEST(%s, last.value * %s) * interval '1 second' > statement_timestamp())
"""


def sample_if_due(interval: timedelta = INTERVAL) -> int:
    """Writes a sample unless one was written within the interval or is being written; returns how many metrics."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK)
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(_IS_DUE, [_TOOK, interval.total_seconds(), _SHARE])
        return sample() if cursor.fetchone()[0] else 0


def sample() -> int:
    """Writes the queue's current metrics; returns how many."""
    began = time.monotonic()
    rows = [row for space in Space.objects.receiving() for row in _of_space(space)]
    rows += [Metric(name=name, value=float(value)) for name, value in _of_queue().items()]
    rows.append(Metric(name=_TOOK, value=time.monotonic() - began))
    Metric.objects.bulk_create(rows)
    return len(rows)


def _of_space(space: Space) -> list[Metric]:
    counted = coverage.of(space)
    numbers = {search_coverage.ARTICLES: counted.articles, search_coverage.EMBEDDED: counted.current}
    labels = {"space": space.pk}
    return [Metric(name=name, value=float(value), labels=labels) for name, value in numbers.items()]


def _of_queue() -> dict[str, float]:
    now = snapshot.take()
    depths = {f"queue_{status}": now.estimated[status] for status in _UNDONE}
    return {
        **depths,
        open_failures.OPEN: open_failures.count(snapshot.COUNT_LIMIT),
        "queue_oldest_due_seconds": now.oldest_due_age or 0.0,
        "queue_tasks_per_second": now.per_second,
        "workers_alive": now.workers_alive,
    }
