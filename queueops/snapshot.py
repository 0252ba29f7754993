"""The queue's health in one read: every face (admin, pages, commands, metrics) renders this one dataclass."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from django.db import connection

from embeddings import glance
from embeddings.models import Space
from queueops import broker, modes, providers
from queueops.models import QueueState, Status
from queueops.providers import ProviderView
from queueops.switches import ITSELF

# Counting stops here, so that a snapshot of ten million rows costs what one of ten thousand does.
COUNT_LIMIT = 10_000
# A worker says that it lives every five seconds; after this many without a word it counts as gone.
ALIVE_WITHIN_SECONDS = 30


@dataclass(frozen=True)
class Snapshot:
    """Counts stop at COUNT_LIMIT, which then means "at least". Ages and spans of time are in seconds.
    `broker_trouble` follows the words "the broker"; empty when it is well."""

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
    providers: tuple[ProviderView, ...] = ()
    broker_trouble: str = ""

    @property
    def coverage(self) -> float:
        """Share of articles whose present text is embedded in the serving space, 0.0 to 1.0."""
        return self.embedded / self.articles if self.articles else 1.0

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self) | {"coverage": round(self.coverage, 4), "count_limit": COUNT_LIMIT}


KEYS = (*(field.name for field in fields(Snapshot)), "coverage", "count_limit")  # of as_dict

_NOW = "statement_timestamp()"
# One statement reads one moment. Each bounded count is served by a partial index of embedding_tasks.
_SQL = """
WITH ended AS MATERIALIZED (
    SELECT status, completed_at > {now} - interval '5 minutes' AS lately FROM embedding_tasks
    WHERE completed_at > {now} - interval '1 hour' ORDER BY completed_at DESC LIMIT %(limit)s
), workers AS (
    SELECT count(*) FILTER (WHERE is_running AND {alive}) AS alive,
           count(*) FILTER (WHERE NOT is_running) AS stopped,
           extract(epoch FROM {now} - max(last_claim_at))::float AS claim_age
    FROM embedding_worker_status
)
SELECT {counts},
    (SELECT count(*) FROM (SELECT FROM embedding_tasks WHERE status = 'pending' AND scheduled_at <= {now}
                           LIMIT %(limit)s) t) AS due,
    (SELECT extract(epoch FROM {now} - min(head.scheduled_at))::float
     FROM embedding_spaces s, LATERAL (
         SELECT scheduled_at FROM embedding_tasks
         WHERE space_id = s.id AND status = 'pending' AND scheduled_at <= {now} ORDER BY scheduled_at LIMIT 1) head
     WHERE s.state <> 'retired') AS oldest_due_age,
    (SELECT count(*) FROM (SELECT FROM embedding_tasks WHERE status = 'processing' AND lease_expires_at < {now}
                           LIMIT %(limit)s) t) AS expired_leases,
    (SELECT count(*) FROM ended WHERE status = 'completed' AND lately) AS completed_5m,
    (SELECT count(*) FROM ended WHERE status = 'failed' AND lately) AS failed_5m,
    (SELECT count(*) FROM ended WHERE status = 'completed') AS completed_1h,
    (SELECT count(*) FROM ended WHERE status = 'failed') AS failed_1h,
    (SELECT alive FROM workers) AS workers_alive,
    (SELECT stopped FROM workers) AS workers_stopped,
    (SELECT claim_age FROM workers) AS last_claim_age,
    (SELECT extract(epoch FROM {now} - swept_at)::float FROM queue_state) AS sweep_age
"""
_COUNT = "(SELECT count(*) FROM (SELECT FROM embedding_tasks WHERE {where} LIMIT %(limit)s) t) AS {status}"
_WHERE = {status: f"status = '{status}'" for status in Status.values} | {
    # only ended tasks have an index by time, and completed ones have no other
    Status.COMPLETED: "status = 'completed' AND completed_at IS NOT NULL"
}
_STATEMENT = _SQL.format(
    counts=", ".join(_COUNT.format(where=where, status=status) for status, where in _WHERE.items()),
    now=_NOW,
    alive=f"last_seen_at > {_NOW} - interval '{ALIVE_WITHIN_SECONDS} seconds'",
)


def take() -> Snapshot:
    """Reads the queue as it is now, in a handful of cheap statements."""
    state = QueueState.objects.first() or QueueState()
    space = Space.objects.serving()
    covered = glance.coverage(space)
    numbers = _numbers()
    return Snapshot(
        mode=state.mode or modes.of_settings(),
        mode_in_settings=modes.of_settings(),
        paused=state.is_paused,
        reason=state.reason,
        changed_by=state.changed_by,
        paused_itself=state.is_paused and state.changed_by == ITSELF,
        providers=providers.views(),
        broker_trouble=broker.trouble(),
        tasks={status: numbers.pop(status) for status in Status.values},
        space=str(space) if space else None,
        articles=covered.articles,
        embedded=covered.current,
        **numbers,
    )


def _numbers() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, {"limit": COUNT_LIMIT})
        row = cursor.fetchone()
        return dict(zip((column.name for column in cursor.description), row, strict=True))
