"""Where articles stand with their embedding: a word for each of many, and for one the whole story in sentences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db import connection

from articles.api.schemas import EmbeddingState, State
from articles.models import Article
from embeddings.models import Space
from lib.remembered import Remembered
from queueops.base import installed
from queueops.engine import modes
from queueops.models import Mode, Operation, Status
from queueops.monitoring import health, provider_status, why_not_running
from queueops.monitoring.why_not_running import Blockers, TaskFacts

# A worker says that it lives every five seconds.
_ALIVE = "is_running AND last_seen_at BETWEEN statement_timestamp() - interval '30 seconds' AND statement_timestamp()"

_STORAGE = """
SELECT current_setting('transaction_read_only')::boolean, coalesce(max(refusal), ''),
       coalesce(extract(epoch FROM statement_timestamp() - min(refused_since)), 0)::float8
FROM embedding_worker_status WHERE refusal <> '' AND last_seen_at > statement_timestamp() - interval '30 seconds'
"""


@dataclass(frozen=True, slots=True)
class ArticleStatus:
    """One article in one space. `source_version` is the version whose vectors are there; None before the first."""

    article_id: int
    version_number: int
    space: str
    is_serving: bool
    source_version: int | None = None
    chunks: int = 0
    is_current: bool = False
    task: TaskFacts | None = None

    @property
    def provider(self) -> str:
        """The provider of its space."""
        return self.space.partition("/")[0]

    @property
    def can_be_found(self) -> bool:
        """Whether searches of this space reach the article, by its current text or an earlier one."""
        return self.chunks > 0


_NOWHERE = EmbeddingState(state="disabled", space=None, source_version=None, chunks=0)
_SECONDS = 1.0

_STANDINGS = """
SELECT a.id, a.version_number, s.provider || '/' || s.model || ' v' || s.version, s.state = 'serving',
       e.source_version, coalesce(e.chunk_count, 0), coalesce(e.source_hash = a.content_hash, false),
       t.id, t.status, t.attempts, t.max_attempts, t.created_at, t.scheduled_at,
       extract(epoch FROM t.scheduled_at - statement_timestamp())::float, t.error_class, t.error_message, t.priority
FROM articles a
CROSS JOIN ({spaces}) s
LEFT JOIN article_embeddings e ON e.article_id = a.id AND e.space_id = s.id AND e.chunk_index = 0
LEFT JOIN LATERAL ({task}) t ON true
WHERE a.id = ANY(%(articles)s)
ORDER BY a.id, s.state = 'serving' DESC, s.id DESC
"""
_TASK = """
    SELECT id, status, attempts, max_attempts, created_at, scheduled_at, error_class, error_message, priority
    FROM embedding_tasks WHERE article_id = a.id AND space_id = s.id
    ORDER BY status IN ('pending', 'processing') DESC, id DESC LIMIT 1
"""
_NO_TASK = """
    SELECT NULL::bigint AS id, NULL AS status, 0 AS attempts, 0 AS max_attempts, NULL AS created_at,
           NULL::timestamptz AS scheduled_at, '' AS error_class, '' AS error_message, '' AS priority
"""
_RECEIVING = "SELECT id, provider, model, version, state FROM embedding_spaces WHERE state <> 'retired'"
_ONE = f"{_RECEIVING} ORDER BY state = 'serving' DESC, id DESC LIMIT 1"
_ALL = _STANDINGS.format(spaces=_RECEIVING, task=_TASK)
_FIRST = _STANDINGS.format(spaces=_ONE, task=_TASK)
_WITHOUT_QUEUE = {
    _ALL: _STANDINGS.format(spaces=_RECEIVING, task=_NO_TASK),
    _FIRST: _STANDINGS.format(spaces=_ONE, task=_NO_TASK),
}


def embedding_states(articles: Sequence[Article]) -> Mapping[int, EmbeddingState]:
    """The state of each article, by its id, in the space that serves, or else in the newest that is being built."""
    if not articles:
        return {}
    mode = modes.current()
    found = {
        standing.article_id: standing for standing in _read(_FIRST, [article.pk for article in articles])
    }
    return {
        article.pk: _short(found[article.pk], mode) if article.pk in found else _NOWHERE
        for article in articles
    }


def state_of_new(article: Article) -> EmbeddingState:
    """The state of an article that was made a moment ago. Only where saving embeds need its row be asked: elsewhere its
    task waits, or nothing is embedded."""
    mode = modes.current()
    if mode is Mode.SYNCHRONOUS:
        return embedding_states([article])[article.pk]
    if (space := _first_space.get()) is None:
        forget()  # there may be one a moment later
        return _NOWHERE
    return {**_NOWHERE, "state": "pending" if mode is Mode.QUEUED else "disabled", "space": space}


def forget() -> None:
    """Asks for the space again at the next question."""
    _first_space.forget()


def explain(article: Article) -> dict[str, Any]:
    """One article in every space that receives it, and `why` a search by meaning does (not) find it."""
    standings = list(_read(_ALL, [article.pk]))
    now = replace(brakes(), is_staged=_is_staged(article, standings))
    served = next((standing for standing in standings if standing.is_serving), None)
    return {
        "slug": article.slug,
        "version_number": article.version_number,
        "mode": now.mode.value,
        "paused": now.is_paused,
        "why": why(served, now),
        "spaces": [_long(standing, now) for standing in standings],
    }


def state_of(standing: ArticleStatus, mode: Mode) -> State:
    """The one word for a standing. Work that is under way comes first, then what is there, then what went wrong."""
    task = standing.task
    if standing.is_current and not (task and task.is_live):
        return "embedded" if standing.chunks else "empty"
    if mode is Mode.DISABLED:
        return "disabled"
    match task.status if task else None:
        case Status.PENDING:
            return "pending"
        case Status.PROCESSING:
            return "processing"
        case Status.FAILED:
            return "failed"
        case Status.CANCELLED:
            return "cancelled"
        case _:
            return "behind"


def why(standing: ArticleStatus | None, brakes: Blockers) -> str:
    """Why a search by meaning finds the article, or does not; for the person who misses it."""
    if standing is None:
        return "Not found by meaning: no embedding space serves searches yet."
    if standing.is_current:
        return _why_current(standing)
    reason = _why_behind(standing, brakes)
    if standing.can_be_found:
        versions = f"version {standing.source_version}, not yet by version {standing.version_number}"
        return f"Found by the text of {versions}: {reason}"
    return f"Not found by meaning: {reason}"


def _why_current(standing: ArticleStatus) -> str:
    if not standing.chunks:
        return "Not found by meaning: its text is empty, so there is nothing to embed."
    passages = "passage" if standing.chunks == 1 else "passages"
    return f"Found by meaning: version {standing.version_number} is embedded in {standing.chunks} {passages}."


def _why_behind(standing: ArticleStatus, brakes: Blockers) -> str:
    task = standing.task
    match state_of(standing, brakes.mode):
        case "disabled":
            return "embedding is switched off."
        case "processing" if task and brakes.storage:
            return f"a worker holds it. {brakes.storage}"
        case "processing" if task:
            return f"a worker is embedding it right now (attempt {task.attempts} of {task.max_attempts})."
        case "pending" if task:
            return why_not_running.why_pending(task, standing.provider, brakes)
        case "failed" if task:
            failed = (
                f"embedding failed after {why_not_running.times(task.attempts)}{why_not_running.error(task)}"
            )
            return f"{failed}. Requeue task {task.id} to try again."
        case "cancelled" if task:
            return f"task {task.id} was cancelled. Requeue it to embed the article."
        case _ if not brakes.installed:
            return "it was not embedded when it was saved, and the queue is not installed. Save it again."
        case _ if brakes.is_staged:
            return "a migration has left it for a later stage. To queue it: manage.py embed_migrate run"
        case _:
            seconds = settings.EMBEDDING_WORKER_INTERVAL / 1000
            return f"no task asks for its current text; the sweep, every {seconds:g} s, will make one."


def _is_staged(article: Article, standings: Sequence[ArticleStatus]) -> bool:
    """Whether the sweep leaves the article alone: see recovery.enqueue_drift."""
    if not installed.is_there() or any(each.task or each.can_be_found for each in standings):
        return False
    stage = Operation.objects.newest_stage()
    return stage is not None and stage.was_there(article)


def _short(standing: ArticleStatus, mode: Mode) -> EmbeddingState:
    return {
        "state": state_of(standing, mode),
        "space": standing.space,
        "source_version": standing.source_version,
        "chunks": standing.chunks,
    }


def _long(standing: ArticleStatus, brakes: Blockers) -> dict[str, Any]:
    return {
        **_short(standing, brakes.mode),
        "serving": standing.is_serving,
        "current": standing.is_current,
        "task": _task(standing.task) if standing.task else None,
        "why": why(standing, brakes),
    }


def _task(task: TaskFacts) -> dict[str, Any]:
    return {
        "id": task.id,
        "status": task.status,
        "attempts": task.attempts,
        "max_attempts": task.max_attempts,
        "created_at": task.created_at,
        "next_attempt_at": task.scheduled_at if task.status == Status.PENDING else None,
        "error_class": task.error_class,
        "error_message": task.error_message,
    }


def _read(statement: str, article_ids: list[int]) -> Iterable[ArticleStatus]:
    if not installed.is_there():
        statement = _WITHOUT_QUEUE[statement]
    with connection.cursor() as cursor:
        cursor.execute(statement, {"articles": article_ids})
        for row in cursor.fetchall():
            fields: list[Any] = [*row[:7], None if row[7] is None else TaskFacts(*row[7:])]
            yield ArticleStatus(*fields)


def _name_of_first_space() -> str | None:
    space = Space.objects.receiving().first()
    return None if space is None else str(space)


_first_space = Remembered(_name_of_first_space, _SECONDS)


def brakes() -> Blockers:
    """What keeps work from being done right now."""
    if not installed.is_there():
        return Blockers(modes.current(), False, "", 0, installed=False)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT is_paused, reason, (SELECT count(*) FROM embedding_worker_status "  # noqa: S608  our own text
            f"WHERE {_ALIVE}), (SELECT count(*) FROM embedding_worker_status WHERE NOT is_running) FROM queue_state"
        )
        is_paused, reason, workers, stopped = cursor.fetchone() or (False, "", 0, 0)
        cursor.execute(_STORAGE)
        storage = next(health.of_storage(*cursor.fetchone()), "")
    views = provider_status.views()
    held = {view.name: next(health.of_provider(view)) for view in views if view.is_held}
    spent = {view.name: health.of_budget(view) for view in views if view.is_spent}
    return Blockers(modes.current(), is_paused, reason, workers, held, stopped, spent, storage=storage)
