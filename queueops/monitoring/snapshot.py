"""The queue's state in one read: admin, pages, commands and metrics all render this one dataclass."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Protocol

from django.db import OperationalError, connection

from embeddings.models import Space
from embeddings.storage import coverage_cache
from embeddings.storage.coverage import Coverage
from lib.database_errors import is_held_up
from lib.named_rows import named_rows
from queueops.admission.self_pause import ITSELF
from queueops.base import installed, table_locks
from queueops.base.table_locks import TableLock
from queueops.engine import modes, worker_loss
from queueops.models import QueueState, Status
from queueops.models.metric import STEP_REFUSED
from queueops.monitoring import chunk_progress, provider_status, search_coverage
from queueops.monitoring.provider_status import ProviderStatus
from queueops.monitoring.search_coverage import SearchCoverage
from queueops.wakeups import broker_health

# Counting stops here, so that a snapshot of ten million rows costs as much as one of ten thousand.
COUNT_LIMIT = 10_000
# A worker updates its row every five seconds; after this many without an update it counts as gone.
ALIVE_WITHIN_SECONDS = 30


class Reading(Protocol):
    """Reads a part of a snapshot; returns `otherwise` if it cannot be read."""

    def __call__[T](self, read: Callable[[], T], otherwise: T) -> T: ...


@dataclass(frozen=True)
class Snapshot:
    """Counts stop at COUNT_LIMIT, which then means "at least"; `estimated` has the planner's estimate instead where
    counting stopped. `oldest_due_age` leaves out long articles between two turns. Ages and spans of time are in
    seconds; `per_second` is tasks ended per second since the first of those that ended in the last five
    minutes, and `coverage_age` how long ago the articles were counted.
    `oldest_fresh_age` is the age of the oldest due task that is not of low priority, so no spent budget blocks it.
    `refusal` is why the database does not accept vectors, and has not for `refused_for` seconds.
    `begun_articles` have `kept_chunks` of their `begun_chunks` embedded; at the rate of the last minute, all will be at
    `chunks_done_at`; the last chunk was kept `last_chunk_age` seconds ago. `workers_lost_10m` counts worker processes
    that died within ten minutes, `lost_waiting` the tasks they held that wait to be retried in small batches.
    `broker_trouble` follows the words "the broker"; empty when it is well. Without the queue `installed` there is
    nothing to count. `locks` are held by other sessions on our tables; if one kept the counts from being read, the
    snapshot is `partial`: values that could not be read are empty. `steps_refused` has the reason of each recurring
    step that the database has refused to a worker within half a minute. `workers_silent` counts registered worker
    processes that have not updated their row lately."""

    mode: str
    mode_in_settings: str
    paused: bool
    reason: str
    changed_by: str
    tasks: dict[str, int]
    due: int
    oldest_due_age: float | None
    expired_leases: int
    completed_5m: int
    failed_5m: int
    completed_1h: int
    failed_1h: int
    workers_alive: int
    workers_stopped: int
    last_claim_age: float | None
    sweep_age: float | None
    space: str | None
    articles: int
    embedded: int
    paused_itself: bool = False
    mode_reason: str = ""
    mode_changed_by: str = ""
    providers: tuple[ProviderStatus, ...] = ()
    broker_trouble: str = ""
    estimated: dict[str, int] = field(default_factory=dict)
    per_second: float = 0.0
    coverage_age: float = 0.0
    installed: bool = True
    oldest_fresh_age: float | None = None
    is_read_only: bool = False  # the database
    refusal: str = ""
    refused_for: float | None = None
    begun_articles: int = 0
    begun_chunks: int = 0
    kept_chunks: int = 0
    chunks_per_second: float = 0.0
    chunks_done_at: datetime | None = None
    last_chunk_age: float | None = None
    steps_refused: dict[str, str] = field(default_factory=dict)
    workers_silent: int = 0
    last_completed_age: float | None = None
    workers_lost_10m: int = 0
    lost_waiting: int = 0
    locks: tuple[TableLock, ...] = ()
    partial: bool = False

    @property
    def coverage(self) -> float:
        """Share of articles whose current text is embedded in the serving space, 0.0 to 1.0."""
        return self.embedded / self.articles if self.articles else 1.0

    @property
    def eta(self) -> float | None:
        """Seconds until all tasks are done at the current rate; None while nothing is being done."""
        left = self.estimated.get(Status.PENDING, 0) + self.estimated.get(Status.PROCESSING, 0)
        return left / self.per_second if self.per_second else None

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        derived = {"coverage": round(self.coverage, 4), "count_limit": COUNT_LIMIT, "eta": self.eta}
        return asdict(self) | derived


KEYS = (*(each.name for each in fields(Snapshot)), "coverage", "count_limit", "eta")  # of as_dict

_NOW = "statement_timestamp()"
# One statement reads one moment; times after it were written while the clock was ahead, and do not count. Each bounded
# count is served by a partial index of embedding_tasks.
_SQL = """
WITH ended AS MATERIALIZED (
    SELECT status, completed_at, completed_at > {now} - interval '5 minutes' AS lately FROM embedding_tasks
    WHERE completed_at BETWEEN {now} - interval '1 hour' AND {now} ORDER BY completed_at DESC LIMIT %(limit)s
), workers AS (
    SELECT count(*) FILTER (WHERE is_running AND {alive}) AS alive,
           count(*) FILTER (WHERE NOT is_running) AS stopped,
           count(*) FILTER (WHERE is_running AND NOT ({alive})) AS silent,
           extract(epoch FROM {now} - max(last_claim_at) FILTER (WHERE last_claim_at <= {now}))::float AS claim_age,
           coalesce(max(refusal) FILTER (WHERE {alive}), '') AS refusal,
           extract(epoch FROM {now} - min(refused_since) FILTER (WHERE {alive}))::float AS refused_for
    FROM embedding_worker_status
)
SELECT {counts},
    (SELECT count(*) FROM (SELECT FROM embedding_tasks WHERE status = 'pending' AND scheduled_at <= {now}
                           LIMIT %(limit)s) t) AS due,
    (SELECT extract(epoch FROM {now} - min(head.scheduled_at))::float
     FROM embedding_spaces s, LATERAL (
         SELECT scheduled_at FROM embedding_tasks
         WHERE space_id = s.id AND status = 'pending' AND scheduled_at <= {now} AND error_class <> 'postponed'
         ORDER BY scheduled_at LIMIT 1) head
     WHERE s.state <> 'retired') AS oldest_due_age,
    (SELECT extract(epoch FROM {now} - min(head.scheduled_at))::float
     FROM embedding_spaces s, (VALUES (1), (2)) fresh (rank), LATERAL (
         SELECT scheduled_at FROM embedding_tasks
         WHERE space_id = s.id AND status = 'pending' AND priority_rank = fresh.rank AND scheduled_at <= {now}
         ORDER BY scheduled_at LIMIT 1) head
     WHERE s.state <> 'retired') AS oldest_fresh_age,
    (SELECT count(*) FROM (SELECT FROM embedding_tasks WHERE status = 'processing' AND lease_expires_at < {now}
                           LIMIT %(limit)s) t) AS expired_leases,
    (SELECT GREATEST(count(*) FILTER (WHERE name = '{ended}'), count(DISTINCT labels->>'claimed_by'))::int
     FROM performance_metrics WHERE name IN ('{ended}', '{lost}') AND timestamp > {now} - interval '10 minutes'
    ) AS workers_lost_10m,
    (SELECT count(*) FROM (SELECT FROM embedding_tasks WHERE status = 'pending' AND losses > 0
                           AND error_class = 'worker_lost' LIMIT %(limit)s) t) AS lost_waiting,
    (SELECT jsonb_object_agg(labels->>'step', coalesce(labels->>'reason', '')) FROM performance_metrics
     WHERE name = '{refused}' AND timestamp BETWEEN {now} - interval '30 seconds' AND {now} AND labels->>'step' <> ''
    ) AS steps_refused,
    (SELECT count(*) FROM ended WHERE status = 'completed' AND lately) AS completed_5m,
    (SELECT count(*) FROM ended WHERE status = 'failed' AND lately) AS failed_5m,
    (SELECT count(*) FROM ended WHERE status = 'completed') AS completed_1h,
    (SELECT extract(epoch FROM {now} - max(completed_at))::float FROM ended WHERE status = 'completed')
        AS last_completed_age,
    (SELECT count(*) FROM ended WHERE status = 'failed') AS failed_1h,
    (SELECT coalesce(count(*) / GREATEST(extract(epoch FROM {now} - min(completed_at)), 1), 0)::float
     FROM ended WHERE lately) AS per_second,
    begun.articles AS begun_articles, begun.chunks AS begun_chunks, begun.kept AS kept_chunks, begun.per_second
        AS chunks_per_second, begun.done_at AS chunks_done_at,
    begun.last_age AS last_chunk_age,
    {estimates},
    ({articles}) AS about_articles,
    (SELECT alive FROM workers) AS workers_alive,
    (SELECT stopped FROM workers) AS workers_stopped,
    (SELECT silent FROM workers) AS workers_silent,
    (SELECT claim_age FROM workers) AS last_claim_age,
    (SELECT refusal FROM workers) AS refusal,
    (SELECT refused_for FROM workers) AS refused_for,
    current_setting('transaction_read_only')::boolean AS is_read_only,
    (SELECT extract(epoch FROM {now} - swept_at)::float FROM queue_state) AS sweep_age
FROM ({begun}) AS begun
"""
_COUNT = "(SELECT count(*) FROM (SELECT FROM embedding_tasks WHERE {where} LIMIT %(limit)s) t) AS {status}"
_WHERE = {status: f"status = '{status}'" for status in Status.values} | {
    # only ended tasks have an index by time, and completed ones have no other
    Status.COMPLETED: "status = 'completed' AND completed_at IS NOT NULL"
}
# From the newest ANALYZE: the share of each status, times the rows of the table.
_ESTIMATES = """(SELECT jsonb_object_agg(known.status, round(known.share * c.reltuples))
     FROM pg_class c, pg_stats s, unnest(s.most_common_vals::text::text[], s.most_common_freqs) known (status, share)
     WHERE c.oid = 'embedding_tasks'::regclass AND s.schemaname = current_schema()
       AND s.tablename = 'embedding_tasks' AND s.attname = 'status') AS analyzed"""
_STATEMENT = _SQL.format(
    begun=chunk_progress.SQL,
    estimates=_ESTIMATES,
    articles=search_coverage.ABOUT_SQL,
    counts=", ".join(_COUNT.format(where=where, status=status) for status, where in _WHERE.items()),
    now=_NOW,
    ended=worker_loss.ENDED,
    lost=worker_loss.METRIC,
    refused=STEP_REFUSED,
    alive=f"last_seen_at BETWEEN {_NOW} - interval '{ALIVE_WITHIN_SECONDS} seconds' AND {_NOW}",
)


def take() -> Snapshot:
    """Reads the queue as it is now, in a handful of cheap statements."""
    return _taken(_plainly)


def take_despite_locks() -> Snapshot:
    """As `take`, for a session with a lock timeout: a part behind a lock is skipped, the others are read."""
    return _taken(_unless_locked)


def _plainly[T](read: Callable[[], T], otherwise: T) -> T:
    return read()


def _unless_locked[T](read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except OperationalError as error:
        if not is_held_up(error):
            raise
        return otherwise


def _taken(reading: Reading) -> Snapshot:
    if not installed.is_there():
        return _without_queue(reading)
    state = reading(QueueState.objects.first, None) or QueueState()
    space = reading(Space.objects.serving, None)
    numbers: dict[str, Any] = reading(_numbers, {})
    covered = reading(
        lambda: search_coverage.of(space, numbers.pop("about_articles", 0)), SearchCoverage(0, 0)
    )
    tasks = {status: numbers.pop(status, 0) for status in Status.values}
    return replace(
        _empty(),
        mode=state.mode or modes.of_settings(),
        mode_reason=state.mode_reason,
        mode_changed_by=state.mode_changed_by,
        paused=state.is_paused,
        reason=state.reason,
        changed_by=state.changed_by,
        paused_itself=state.is_paused and state.changed_by == ITSELF,
        providers=reading(provider_status.views, ()),
        broker_trouble=broker_health.problem(),
        partial=not numbers,
        locks=table_locks.held(at_once=not numbers),
        tasks=tasks,
        estimated=_estimated(tasks, json.loads(numbers.pop("analyzed", None) or "{}")),
        space=str(space) if space else None,
        articles=covered.articles,
        embedded=covered.embedded,
        coverage_age=covered.age,
        steps_refused=json.loads(numbers.pop("steps_refused", None) or "{}"),
        installed=True,
        **numbers,
    )


def _without_queue(reading: Reading) -> Snapshot:
    space = reading(Space.objects.serving, None)
    covered = reading(lambda: coverage_cache.coverage(space), Coverage(0, 0))
    return replace(
        _empty(),
        mode=modes.without_queue(),
        space=str(space) if space else None,
        articles=covered.articles,
        embedded=covered.current,
        locks=table_locks.held(),
    )


def _empty() -> Snapshot:
    """A snapshot without counts and without a queue."""
    none = dict.fromkeys(Status.values, 0)
    return Snapshot(
        mode=modes.of_settings(),
        mode_in_settings=modes.of_settings(),
        paused=False,
        reason="",
        changed_by="",
        tasks=none,
        due=0,
        oldest_due_age=None,
        expired_leases=0,
        completed_5m=0,
        failed_5m=0,
        completed_1h=0,
        failed_1h=0,
        workers_alive=0,
        workers_stopped=0,
        last_claim_age=None,
        sweep_age=None,
        space=None,
        articles=0,
        embedded=0,
        estimated=none,
        installed=False,
    )


def _estimated(counted: dict[str, int], analyzed: dict[str, float]) -> dict[str, int]:
    """The counts below the limit; above it the estimate of the newest ANALYZE, at least the limit."""
    return {
        status: count if count < COUNT_LIMIT else max(count, int(analyzed.get(status, 0)))
        for status, count in counted.items()
    }


def _numbers() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, {"limit": COUNT_LIMIT})
        return named_rows(cursor)[0]
