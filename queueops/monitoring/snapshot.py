"""The queue's state in one read: admin, pages, commands and metrics all render this one dataclass."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Protocol

from django.db import OperationalError, connection

from embeddings import recipes
from embeddings.models import Space
from embeddings.storage import coverage_cache
from embeddings.storage.coverage import Coverage
from lib.database_errors import is_held_up
from lib.rows_by_column import named_rows
from queueops.admission.self_pause import ITSELF
from queueops.base import installed, table_locks
from queueops.base.table_locks import TableLock
from queueops.engine import modes
from queueops.models import QueueState, Status
from queueops.monitoring import provider_status, search_coverage
from queueops.monitoring.provider_status import ProviderStatus
from queueops.monitoring.search_coverage import SearchCoverage
from queueops.monitoring.snapshot_statement import SNAPSHOT
from queueops.wakeups import broker_health

# Counting stops here, so that a snapshot of ten million rows costs as much as one of ten thousand.
COUNT_LIMIT = 10_000


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
    that died within ten minutes or are gone with tasks in hand, `lost_waiting` the tasks they held that wait to be
    retried in small batches.
    `broker_trouble` follows the words "the broker"; empty when it is well. Without the queue `installed` there is
    nothing to count. `locks` are held by other sessions on our tables; if one kept the counts from being read, the
    snapshot is `partial`: values that could not be read are empty. `steps_refused` has the reason of each recurring
    step that the database has refused to a worker within half a minute. `workers_silent` counts registered worker
    processes that have not updated their row lately. `brake_rows` are the ids of the rows of embedding_worker_status
    that stop every worker; all that are alive count as stopped then. `failed_open` counts failed tasks whose article
    has no vectors of its current text, among the newest COUNT_LIMIT; of many failed tasks, as last
    sampled. `recipe_conflict` is why this process neither embeds nor searches in the serving space, a sentence; empty
    if it does. Ages of due tasks are those of the serving
    space; `completed_beside_5m` and `failed_beside_5m` are what other spaces have of `completed_5m` and `failed_5m`."""

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
    brake_rows: str = ""
    failed_open: int = 0
    recipe_conflict: str = ""
    completed_beside_5m: int = 0
    failed_beside_5m: int = 0

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


def take() -> Snapshot:
    """Reads the current state of the queue, in a few cheap statements."""
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
        recipe_conflict=_recipe_conflict(space),
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
        recipe_conflict=_recipe_conflict(space),
        articles=covered.articles,
        embedded=covered.current,
        locks=table_locks.held(),
    )


def _recipe_conflict(space: Space | None) -> str:
    return "" if space is None or recipes.fits(space) else recipes.refusal(space)


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
        cursor.execute(SNAPSHOT, {"limit": COUNT_LIMIT})
        return named_rows(cursor)[0]
