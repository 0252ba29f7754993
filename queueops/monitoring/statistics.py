"""Statistics beyond the snapshot, each read in bounded time: pending and failed tasks by kind, durations, and metrics
over a span of time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from queueops.models import Priority
from queueops.models.metric import NAMES_SQL
from queueops.models.worker import BRAKES_ALL_SQL
from queueops.monitoring import task_lists
from queueops.monitoring.snapshot import COUNT_LIMIT


@dataclass(frozen=True)
class Durations:
    """Of the attempts that completed in the last hour, at most COUNT_LIMIT; in seconds, None if there are none."""

    tasks: int
    average: float | None
    p50: float | None
    p95: float | None


@dataclass(frozen=True)
class Breakdown:
    """Counts of pending tasks stop at COUNT_LIMIT per priority; errors are those of the newest failures, and of those
    that are open."""

    pending_by_priority: dict[str, int]
    failed_by_error: dict[str, int]
    open_by_error: dict[str, int]
    seconds_per_task: Durations


@dataclass(frozen=True)
class MetricSummary:
    """One metric over a span of time: its newest samples, at most COUNT_LIMIT, and the last one even if it is older."""

    name: str
    samples: int
    average: float | None
    least: float | None
    most: float | None
    sum: float | None
    last: float
    last_at: datetime


# Each priority is a contiguous range of embedding_tasks_due per space.
_BY_PRIORITY = """
SELECT p.priority, sum(waiting.tasks)::bigint
FROM unnest(%(priorities)s::text[], %(ranks)s::smallint[]) AS p (priority, rank), embedding_spaces s,
     LATERAL (SELECT count(*) AS tasks FROM (
        SELECT FROM embedding_tasks
        WHERE status = 'pending' AND space_id = s.id AND priority_rank = p.rank LIMIT %(limit)s) t) waiting
GROUP BY p.priority, p.rank ORDER BY p.rank
"""
_DURATIONS = """
SELECT count(*), avg(seconds), percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds)
FROM (SELECT extract(epoch FROM completed_at - processed_at)::float8 AS seconds FROM embedding_tasks
      WHERE completed_at BETWEEN statement_timestamp() - interval '1 hour' AND statement_timestamp()
        AND status = 'completed'
      ORDER BY completed_at DESC LIMIT %s) ended
"""
_SUMMARIES = f"""
{NAMES_SQL}
SELECT names.name, span.samples, span.average, span.least, span.most, span.sum, newest.value, newest.timestamp
FROM names,
LATERAL (SELECT count(*) AS samples, avg(value) AS average, min(value) AS least, max(value) AS most, sum(value) AS sum
         FROM (SELECT value FROM performance_metrics
               WHERE name = names.name
                 AND timestamp BETWEEN statement_timestamp() - %s * interval '1 second' AND statement_timestamp()
               ORDER BY timestamp DESC LIMIT %s) t) span,
LATERAL (SELECT value, timestamp FROM performance_metrics
         WHERE name = names.name AND timestamp <= statement_timestamp()
         ORDER BY timestamp DESC LIMIT 1) newest
WHERE names.name IS NOT NULL ORDER BY names.name
"""  # noqa: S608  the only text put in is our own


def breakdown() -> Breakdown:
    """Pending tasks by priority, failed ones by error class, and durations."""
    with connection.cursor() as cursor:
        ranks = list(range(1, len(Priority) + 1))
        priorities = [Priority.HIGH.value, Priority.NORMAL.value, Priority.LOW.value]
        cursor.execute(_BY_PRIORITY, {"priorities": priorities, "ranks": ranks, "limit": COUNT_LIMIT})
        by_priority = dict.fromkeys(priorities, 0) | dict(cursor.fetchall())
        cursor.execute(_DURATIONS, [COUNT_LIMIT])
        durations = Durations(*cursor.fetchone())
    kinds = task_lists.failure_kinds()
    by_error = {kind.error_class: kind.tasks for kind in kinds}
    open_by_error = {kind.error_class: kind.open for kind in kinds if kind.open}
    return Breakdown(by_priority, by_error, open_by_error, durations)


def courses(span: timedelta) -> list[MetricSummary]:
    """Every metric ever recorded, summarized over the last `span`."""
    with connection.cursor() as cursor:
        cursor.execute(_SUMMARIES, [span.total_seconds(), COUNT_LIMIT])
        return [MetricSummary(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class WorkerView:
    """A worker process; `is_running`: it may claim. Spans are in seconds; `claimed_ago` is None before a claim."""

    id: int
    name: str
    is_running: bool
    seen_ago: float
    claimed_ago: float | None
    tasks_done: int
    tasks_failed: int


_WORKERS = f"""
SELECT id, CASE WHEN name = '' THEN 'row ' || id || ', of no process' ELSE name END,
       is_running AND NOT EXISTS (SELECT FROM embedding_worker_status WHERE {BRAKES_ALL_SQL}),
       extract(epoch FROM statement_timestamp() - last_seen_at)::float8,
       extract(epoch FROM statement_timestamp() - last_claim_at)::float8, tasks_done, tasks_failed
FROM embedding_worker_status ORDER BY last_seen_at DESC, id LIMIT %s
"""  # noqa: S608  the only text put in is our own


def workers(most: int) -> list[WorkerView]:
    """The worker processes, most recently seen first."""
    with connection.cursor() as cursor:
        cursor.execute(_WORKERS, [most])
        return [WorkerView(*row) for row in cursor.fetchall()]
