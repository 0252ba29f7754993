"""The embedding status of articles: one word each for a list, and full sentences for a single one."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db import connection

from articles.api.schemas import EmbeddingState, State
from articles.models import Article
from embeddings.models import SPACE_NAME_SQL, Space
from lib.manage_command import manage
from lib.rows_by_column import named_rows, part
from lib.timed_cache import TimedCache
from queueops.base import installed
from queueops.engine import modes
from queueops.models import Mode, Operation, Status
from queueops.models.worker import BRAKES_ALL_SQL
from queueops.monitoring import health, health_sentences, provider_status, snapshot, why_not_running
from queueops.monitoring.snapshot_statement import ALIVE_WITHIN_SECONDS
from queueops.monitoring.why_not_running import Blockers, TaskFacts

_LATELY = f"statement_timestamp() - interval '{ALIVE_WITHIN_SECONDS} seconds'"
_ALIVE = f"""name <> '' AND is_running AND last_seen_at BETWEEN {_LATELY} AND clock_timestamp()
    AND NOT EXISTS (SELECT FROM embedding_worker_status WHERE {BRAKES_ALL_SQL})"""

_STORAGE = f"""
SELECT current_setting('transaction_read_only')::boolean, coalesce(max(refusal), ''),
       coalesce(extract(epoch FROM statement_timestamp() - min(refused_since)), 0)::float8
FROM embedding_worker_status WHERE refusal <> '' AND last_seen_at > {_LATELY}
"""  # noqa: S608  the only text put in is our own


@dataclass(frozen=True, slots=True)
class ArticleStatus:
    """One article in one space. `source_version` is the version of its vectors; None before the first."""

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

_STATUSES = """
SELECT a.id AS article_id, a.version_number, {name} AS space, s.state = 'serving' AS is_serving,
       e.source_version, coalesce(e.chunk_count, 0) AS chunks,
       coalesce(e.source_hash = a.content_hash, false) AS is_current,
       t.id AS task_id, t.status AS task_status, t.attempts AS task_attempts, t.max_attempts AS task_max_attempts,
       t.created_at AS task_created_at, t.scheduled_at AS task_scheduled_at,
       extract(epoch FROM t.scheduled_at - statement_timestamp())::float AS task_seconds_to_attempt,
       t.error_class AS task_error_class, t.error_message AS task_error_message, t.priority AS task_priority
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


@functools.cache
def _statement(spaces: str, task: str) -> str:
    return _STATUSES.format(name=SPACE_NAME_SQL, spaces=spaces, task=task)


def embedding_states(articles: Sequence[Article]) -> Mapping[int, EmbeddingState]:
    """The state of each article, by id, in the serving space, or else in the newest that is being built."""
    if not articles:
        return {}
    mode = modes.current()
    found = {status.article_id: status for status in _read(_ONE, [article.pk for article in articles])}
    return {
        article.pk: _short(found[article.pk], mode) if article.pk in found else _NOWHERE
        for article in articles
    }


def state_of_new(article: Article) -> EmbeddingState:
    """The state of an article just created. Its row is read only in synchronous mode: in the others its task is
    pending, or nothing is embedded."""
    mode = modes.current()
    if mode is Mode.SYNCHRONOUS:
        return embedding_states([article])[article.pk]
    if (space := _first_space.get()) is None:
        forget()  # a space may be created a moment later
        return _NOWHERE
    return {**_NOWHERE, "state": "pending" if mode is Mode.QUEUED else "disabled", "space": space}


def forget() -> None:
    """Reads the space again at the next call."""
    _first_space.forget()


def explain(article: Article) -> dict[str, Any]:
    """One article in every receiving space, and `why` a search by meaning finds it or not."""
    statuses = list(_read(_RECEIVING, [article.pk]))
    now = replace(blockers(), is_staged=_is_staged(article, statuses))
    served = next((status for status in statuses if status.is_serving), None)
    return {
        "slug": article.slug,
        "version_number": article.version_number,
        "mode": now.mode.value,
        "paused": now.is_paused,
        "why": why(served, now),
        "spaces": [_long(status, now) for status in statuses],
    }


def state_of(status: ArticleStatus, mode: Mode) -> State:
    """The one word for a status. Live tasks come first, then existing vectors, then failures."""
    task = status.task
    if status.is_current and not (task and task.is_live):
        return "embedded" if status.chunks else "empty"
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


def why(status: ArticleStatus | None, blockers: Blockers) -> str:
    """Why a search by meaning finds the article or not."""
    if status is None:
        return "Not found by meaning: no embedding space serves searches yet."
    if status.is_current:
        return _why_current(status)
    reason = _why_behind(status, blockers)
    if status.can_be_found:
        is_same = status.source_version == status.version_number  # plain SQL changed the text
        present = "its present text" if is_same else f"version {status.version_number}"
        versions = f"version {status.source_version}, not yet by {present}"
        return f"Found by the text of {versions}: {reason}"
    return f"Not found by meaning: {reason}"


def _why_current(status: ArticleStatus) -> str:
    if not status.chunks:
        return "Not found by meaning: its text is empty, so there is nothing to embed."
    chunks = "chunk" if status.chunks == 1 else "chunks"
    return f"Found by meaning: version {status.version_number} is embedded in {status.chunks} {chunks}."


def _why_behind(status: ArticleStatus, blockers: Blockers) -> str:
    task = status.task
    match state_of(status, blockers.mode):
        case "disabled":
            return "embedding is switched off."
        case "processing" if task and blockers.storage:
            return f"a worker holds it. {blockers.storage}"
        case "processing" if task:
            return f"a worker is embedding it right now (attempt {task.attempts} of {task.max_attempts})."
        case "pending" if task:
            return why_not_running.why_pending(task, status.provider, blockers)
        case "failed" if task:
            failed = (
                f"embedding failed after {why_not_running.times(task.attempts)}{why_not_running.error(task)}"
            )
            return f"{failed}. Requeue task {task.id} to try again."
        case "cancelled" if task:
            return f"task {task.id} was cancelled. Requeue it to embed the article."
        case _ if not blockers.installed:
            return "it was not embedded when it was saved, and the queue is not installed. Save it again."
        case _ if blockers.is_staged:
            return f"a backfill left it for a later stage. To queue it: {manage('embed_migrate run')}"
        case _:
            seconds = settings.EMBEDDING_WORKER_INTERVAL / 1000
            return f"its current text has no task; the sweep, every {seconds:g} s, checks a part and will create one."


def _is_staged(article: Article, statuses: Sequence[ArticleStatus]) -> bool:
    """Whether the sweep skips the article: see sweep.enqueue_drift."""
    if not installed.is_there() or any(each.task or each.can_be_found for each in statuses):
        return False
    stage = Operation.objects.newest_stage()
    return stage is not None and stage.was_there(article)


def _short(status: ArticleStatus, mode: Mode) -> EmbeddingState:
    return {
        "state": state_of(status, mode),
        "space": status.space,
        "source_version": status.source_version,
        "chunks": status.chunks,
    }


def _long(status: ArticleStatus, blockers: Blockers) -> dict[str, Any]:
    return {
        **_short(status, blockers.mode),
        "serving": status.is_serving,
        "current": status.is_current,
        "task": _task(status.task) if status.task else None,
        "why": why(status, blockers),
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


def _read(spaces: str, article_ids: list[int]) -> Iterable[ArticleStatus]:
    task = _TASK if installed.is_there() else _NO_TASK
    with connection.cursor() as cursor:
        cursor.execute(_statement(spaces, task), {"articles": article_ids})
        for row in named_rows(cursor):
            known = part(row, "task_")
            own = {name: value for name, value in row.items() if not name.startswith("task_")}
            yield ArticleStatus(**own, task=None if known["id"] is None else TaskFacts(**known))


def _name_of_first_space() -> str | None:
    space = Space.objects.receiving().first()
    return None if space is None else str(space)


_first_space = TimedCache(_name_of_first_space, _SECONDS)


def blockers() -> Blockers:
    """What blocks work right now."""
    if not installed.is_there():
        return Blockers(modes.current(), False, "", installed=False)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT is_paused, reason, EXISTS (SELECT FROM embedding_worker_status "  # noqa: S608  our own text
            f"WHERE {_ALIVE}) FROM queue_state"
        )
        is_paused, reason, is_one_alive = cursor.fetchone() or (False, "", False)
        cursor.execute(_STORAGE)
        storage = next(health_sentences.of_storage(*cursor.fetchone()), "")
    views = provider_status.views()
    held = {view.name: next(health_sentences.of_provider(view)) for view in views if view.is_held}
    spent = {view.name: health_sentences.of_budget(view) for view in views if view.is_spent}
    no_worker, is_unknown = ("", False) if is_one_alive else _why_no_worker()
    return Blockers(
        modes.current(), is_paused, reason, no_worker, is_unknown, held=held, spent=spent, storage=storage
    )


def _why_no_worker() -> tuple[str, bool]:
    """Why no worker counts as alive, and whether some may be: the snapshot knows what one row does not show."""
    now = snapshot.take()
    words = health.workers_in_words(now)
    if now.brake_rows:
        words = f"{words}: {health_sentences.brake(now)}"
    elif now.workers_stopped:
        words = f"{words}. To start: {manage('queue_admin start')}"
    return words, health.workers(now)[0] == "unknown"
