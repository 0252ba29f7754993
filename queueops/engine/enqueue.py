"""Creates tasks in sets, merging with tasks already pending; the only place that creates tasks."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import TextChoices
from psycopg.types.json import Jsonb

from articles.insert import Companions
from embeddings.models import IS_BUILT_SQL
from embeddings.storage import coverage, kept_vectors
from queueops.base import signals
from queueops.models import Priority, Task


class Reason(TextChoices):
    """Why a task was created; it sets the default priority."""

    EDIT = "edit"
    IMPORT = "import"
    DRIFT = "drift"
    MIGRATION = "migration"
    REINDEX = "reindex"


_PRIORITIES = {
    Reason.EDIT: Priority.NORMAL,
    Reason.IMPORT: Priority.LOW,
    Reason.DRIFT: Priority.LOW,
    Reason.MIGRATION: Priority.LOW,
    Reason.REINDEX: Priority.LOW,
}

_LOWER = {Priority.HIGH: Priority.NORMAL, Priority.NORMAL: Priority.LOW, Priority.LOW: Priority.LOW}

# Each statement below names its columns above its SELECT, which lists their values in the same order: read together,
# they can be checked, which a list of columns kept elsewhere would prevent.

# A change merges into the pending task of its article: new text gets new attempts, and the higher priority wins.
# An article whose current text is embedded needs no task, nor does one for whose current text and version a worker
# holds a task: it writes the vectors or returns to pending by itself. Written like IS_CURRENT_SQL, for the same reason.
# A change that merges into a task of a backfill takes it over: rolling back the backfill must not cancel an edit.
# A space that is being built gets its tasks one rank lower, so that they never come before those of the serving one.
# An edit that overtakes a re-embedding task keeps re-embedding: the unchanged chunks still have old vectors.
# The status is filtered after the lookup: in the WHERE, the planner would read every held task while it expects few.
_HELD = """(SELECT bool_or(t.metadata ? 'reembed') FILTER (WHERE t.status = 'processing') AS is_reembedding,
                   bool_or(t.content_hash = a.content_hash AND t.source_version = a.version_number
                           AND t.lease_expires_at > statement_timestamp())
                       FILTER (WHERE t.status = 'processing') AS is_same
            FROM embedding_tasks t WHERE t.article_id = a.id AND t.space_id = s.id)"""
_PRIORITY = f"CASE WHEN {IS_BUILT_SQL} THEN %(lower)s::text ELSE %(priority)s::text END"
_ENQUEUE = f"""
INSERT INTO embedding_tasks (article_id, slug, space_id, priority, max_attempts, source_version, content_hash, metadata)
SELECT a.id, a.slug, s.id, {_PRIORITY}, %(max_attempts)s::int, a.version_number, a.content_hash,
       CASE WHEN held.is_reembedding THEN %(metadata)s::jsonb || '{{"reembed": true}}' ELSE %(metadata)s::jsonb END
FROM articles a CROSS JOIN embedding_spaces s CROSS JOIN LATERAL {_HELD} AS held
WHERE a.id = ANY(%(articles)s::bigint[]) AND s.state <> 'retired'
  AND NOT {coverage.IS_CURRENT_SQL} AND held.is_same IS NOT TRUE
ORDER BY a.id, s.id
ON CONFLICT (article_id, space_id) WHERE status = 'pending' DO UPDATE SET
    slug = EXCLUDED.slug, source_version = EXCLUDED.source_version, content_hash = EXCLUDED.content_hash,
    scheduled_at = LEAST(embedding_tasks.scheduled_at, EXCLUDED.scheduled_at),
    priority = CASE WHEN EXCLUDED.priority_rank < embedding_tasks.priority_rank
                    THEN EXCLUDED.priority ELSE embedding_tasks.priority END,
    attempts = 0, error_class = '', error_message = '',
    metadata = CASE WHEN embedding_tasks.metadata->>'reason' = 'migration'
                    THEN (embedding_tasks.metadata - 'operation') || EXCLUDED.metadata
                    ELSE embedding_tasks.metadata END
"""  # noqa: S608  the only text put in is our own


# Part of the statement that makes an article (articles/insert.py). No other session has seen it, so it has no
# vectors and no task.
_TASKS_OF_NEW = f""", tasks AS (
    INSERT INTO embedding_tasks
        (article_id, slug, space_id, priority, max_attempts, source_version, content_hash, metadata)
    SELECT article.id, article.slug, s.id, {_PRIORITY}, %(max_attempts)s::int, article.version_number,
           article.content_hash, jsonb_build_object('reason', %(reason)s::text)
    FROM article CROSS JOIN embedding_spaces s WHERE s.state <> 'retired' ORDER BY s.id
)"""  # noqa: S608  the only text put in is our own


def with_new_article(written: Callable[[int], object]) -> Companions:
    """As `enqueue` for an edit, for an article that is being created; `written` is called with its id."""
    return Companions(_TASKS_OF_NEW, _common(Reason.EDIT, None), written)


def enqueue(
    article_ids: Sequence[int],
    reason: Reason,
    priority: Priority | None = None,
    announce: bool = True,
    operation: UUID | None = None,
) -> int:
    """Creates one pending task per article and space that is behind on it; returns how many.

    Call it inside the transaction that changed the articles. The priority follows from the reason unless given;
    `announce=False` wakes no worker; `operation` is the operation that the tasks belong to.
    """
    values = {
        "articles": list(article_ids),
        "metadata": Jsonb({"reason": reason.value} | ({"operation": str(operation)} if operation else {})),
        **_common(reason, priority),
    }
    with connection.cursor() as cursor:
        cursor.execute(_ENQUEUE, values)
        return _announced(cursor.rowcount, announce)


# The article keeps its vectors until the new ones are stored. A task that is already pending re-embeds as well.
_ENQUEUE_REEMBEDDING = f"""
INSERT INTO embedding_tasks (article_id, slug, space_id, priority, max_attempts, source_version, content_hash, metadata)
SELECT a.id, a.slug, s.id, {_PRIORITY}, %(max_attempts)s::int, a.version_number, a.content_hash,
       jsonb_build_object('reason', %(reason)s::text, 'operation', %(operation)s::text, 'reembed', true)
FROM articles a CROSS JOIN embedding_spaces s
WHERE a.id = ANY(%(articles)s::bigint[]) AND s.state <> 'retired'
ORDER BY a.id, s.id
ON CONFLICT (article_id, space_id) WHERE status = 'pending' DO UPDATE SET
    metadata = embedding_tasks.metadata || '{{"reembed": true}}'
"""  # noqa: S608  the only text put in is our own


def enqueue_reembedding(article_ids: Sequence[int], operation: UUID) -> int:
    """Creates one pending task per article and receiving space that re-embeds every chunk, including those that have a
    vector; returns how many. Call it inside a transaction."""
    values = {
        "articles": list(article_ids),
        "operation": str(operation),
        **_common(Reason.REINDEX, None),
    }
    kept_vectors.forget(article_ids)
    with connection.cursor() as cursor:
        cursor.execute(_ENQUEUE_REEMBEDDING, values)
        return _announced(cursor.rowcount, announce=True)


def _common(reason: Reason, priority: Priority | None) -> dict[str, Any]:
    wanted = priority or _PRIORITIES[reason]
    return {
        "priority": wanted.value,
        "lower": _LOWER[wanted].value,
        "max_attempts": settings.EMBEDDING_MAX_RETRIES,
        "reason": reason.value,
    }


def _announced(count: int, announce: bool) -> int:
    if count and announce:
        announce_tasks()
    return count


def announce_tasks(*_: Any) -> None:
    """Tasks have been created in this transaction."""
    signals.tasks_ready.send(Task)
