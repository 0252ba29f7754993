"""The report on one task: its row, article, vectors and audit rows, and why it is not running."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from embeddings.models import SPACE_NAME_SQL
from lib.rows_by_column import named_rows, part
from queueops.engine import failed_attempts
from queueops.engine.failed_attempts import FailedAttempt
from queueops.models import AuditLog, Task
from queueops.monitoring import article_status, chunk_progress, why_not_running
from queueops.monitoring.chunk_progress import ChunkProgress

MOST_ENTRIES = 100


@dataclass(frozen=True)
class TaskDetails:
    """The row itself. `is_newest_text`: whether it is for the article's current text; `failed_attempts` are oldest
    first."""

    id: int
    status: str
    outcome: str
    priority: str
    reason: str
    attempts: int
    max_attempts: int
    created_at: datetime
    scheduled_at: datetime
    processed_at: datetime | None
    completed_at: datetime | None
    lease_expires_at: datetime | None
    claimed_by: str
    source_version: int | None
    is_newest_text: bool
    error_class: str
    error_message: str
    failed_attempts: list[FailedAttempt]


@dataclass(frozen=True)
class ArticleFacts:
    id: int
    slug: str
    title: str
    version_number: int
    updated_at: datetime


@dataclass(frozen=True)
class VectorFacts:
    """The article's vectors in the task's space. `source_version` is their version, None before the first."""

    space: str
    state: str
    chunks: int
    source_version: int | None
    is_current: bool


@dataclass(frozen=True)
class Entry:
    """A row of the audit log."""

    timestamp: datetime
    level: str
    category: str
    message: str
    actor: str
    operation: UUID | None
    reason: str


@dataclass(frozen=True)
class TaskReport:
    """`why` is why the task is not running, or that it is running or has ended. `others` are ids of live tasks of the
    same article and space; `audit` holds the newest MOST_ENTRIES rows, oldest first. `progress` is that of a long
    article that is partly embedded."""

    task: TaskDetails
    why: str
    article: ArticleFacts
    vectors: VectorFacts
    progress: ChunkProgress | None
    others: list[int]
    audit: list[Entry]

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)


_TASK = f"""
SELECT t.id AS task_id, t.status AS task_status, t.outcome AS task_outcome, t.priority AS task_priority,
       coalesce(t.metadata->>'reason', '') AS task_reason, t.attempts AS task_attempts,
       t.max_attempts AS task_max_attempts, t.created_at AS task_created_at, t.scheduled_at AS task_scheduled_at,
       t.processed_at AS task_processed_at, t.completed_at AS task_completed_at,
       t.lease_expires_at AS task_lease_expires_at, t.claimed_by AS task_claimed_by,
       t.source_version AS task_source_version,
       coalesce(t.content_hash = a.content_hash, false) AS task_is_newest_text, t.error_class AS task_error_class,
       t.error_message AS task_error_message, coalesce(t.metadata->'failed_attempts', '[]') AS task_failed_attempts,
       a.id AS article_id, a.slug AS article_slug, a.title AS article_title,
       a.version_number AS article_version_number, a.updated_at AS article_updated_at,
       {SPACE_NAME_SQL} AS vectors_space, s.state AS vectors_state, coalesce(e.chunk_count, 0) AS vectors_chunks,
       e.source_version AS vectors_source_version,
       coalesce(e.source_hash = a.content_hash, false) AS vectors_is_current,
       s.provider, extract(epoch FROM t.scheduled_at - statement_timestamp())::float8 AS seconds_to_attempt,
       extract(epoch FROM t.lease_expires_at - statement_timestamp())::float8 AS seconds_of_lease,
       ARRAY(SELECT o.id FROM embedding_tasks o WHERE o.article_id = t.article_id AND o.space_id = t.space_id
             AND o.id <> t.id AND o.status IN ('pending', 'processing') ORDER BY o.id) AS others
FROM embedding_tasks t
JOIN articles a ON a.id = t.article_id
JOIN embedding_spaces s ON s.id = t.space_id
LEFT JOIN article_embeddings e ON e.article_id = a.id AND e.space_id = s.id AND e.chunk_index = 0
WHERE t.id = %s
"""  # noqa: S608  the only text put in is our own


def of(task_id: int) -> TaskReport:
    """The report on a task. Raises Task.DoesNotExist."""
    with connection.cursor() as cursor:
        cursor.execute(_TASK, [task_id])
        rows = named_rows(cursor)
    if not rows:
        raise Task.DoesNotExist
    (row,) = rows
    given = part(row, "task_")
    task = TaskDetails(**given | {"failed_attempts": failed_attempts.of(given["failed_attempts"])})
    vectors = VectorFacts(**part(row, "vectors_"))
    known = why_not_running.TaskFacts(
        id=task.id,
        status=task.status,
        attempts=task.attempts,
        max_attempts=task.max_attempts,
        created_at=task.created_at,
        scheduled_at=task.scheduled_at,
        seconds_to_attempt=row["seconds_to_attempt"],
        error_class=task.error_class,
        error_message=task.error_message,
        priority=task.priority,
        outcome=task.outcome,
        claimed_by=task.claimed_by,
        seconds_of_lease=row["seconds_of_lease"],
        is_retired=vectors.state == "retired",
        is_current=vectors.is_current,
    )
    why = why_not_running.why(known, row["provider"], article_status.blockers())
    progress = chunk_progress.of_task(task_id) if known.is_live else None
    if progress:
        why = f"{why} Progress: {progress}."
    article = ArticleFacts(**part(row, "article_"))
    return TaskReport(task, why, article, vectors, progress, row["others"], _entries(task_id))


def _entries(task_id: int) -> list[Entry]:
    newest = AuditLog.objects.filter(task_id=task_id).order_by("-timestamp", "-id")[:MOST_ENTRIES]
    return [
        Entry(
            timestamp=row.timestamp,
            level=row.level,
            category=row.category,
            message=row.message,
            actor=row.actor,
            operation=row.operation_id,
            reason=str(row.metadata.get("reason", "")) if isinstance(row.metadata, dict) else "",
        )
        for row in reversed(newest)
    ]
