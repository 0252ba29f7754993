"""One task's whole story: its row, article, vectors and audit rows, and why it is not running."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from queueops.engine import failed_attempts
from queueops.engine.failed_attempts import FailedAttempt
from queueops.models import AuditLog, Task
from queueops.monitoring import article_status, why_not_running

MOST_ENTRIES = 100


@dataclass(frozen=True)
class TaskFacts:
    """The row itself. `is_newest_text`: it is about the article's current text; `failed_attempts`: the oldest first."""

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
    """The article's vectors in the task's space. `source_version` is the version they are of, None before the first."""

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
    """`why` is why the task is not running, or that it is or has ended. `others` are tasks of the same article and
    space that have not ended; `audit` is the oldest first, the newest MOST_ENTRIES."""

    task: TaskFacts
    why: str
    article: ArticleFacts
    vectors: VectorFacts
    others: list[int]
    audit: list[Entry]

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)


_TASK = """
SELECT t.id, t.status, t.outcome, t.priority, coalesce(t.metadata->>'reason', ''), t.attempts, t.max_attempts,
       t.created_at, t.scheduled_at, t.processed_at, t.completed_at, t.lease_expires_at, t.claimed_by,
       t.source_version, coalesce(t.content_hash = a.content_hash, false), t.error_class, t.error_message,
       coalesce(t.metadata->'tries', '[]'),
       a.id, a.slug, a.title, a.version_number, a.updated_at,
       s.provider || '/' || s.model || ' v' || s.version, s.state, coalesce(e.chunk_count, 0), e.source_version,
       coalesce(e.source_hash = a.content_hash, false),
       s.provider, extract(epoch FROM t.scheduled_at - statement_timestamp())::float8,
       extract(epoch FROM t.lease_expires_at - statement_timestamp())::float8,
       ARRAY(SELECT o.id FROM embedding_tasks o WHERE o.article_id = t.article_id AND o.space_id = t.space_id
             AND o.id <> t.id AND o.status IN ('pending', 'processing') ORDER BY o.id)
FROM embedding_tasks t
JOIN articles a ON a.id = t.article_id
JOIN embedding_spaces s ON s.id = t.space_id
LEFT JOIN article_embeddings e ON e.article_id = a.id AND e.space_id = s.id AND e.chunk_index = 0
WHERE t.id = %s
"""


def of(task_id: int) -> TaskReport:
    """The story of a task. Raises Task.DoesNotExist."""
    with connection.cursor() as cursor:
        cursor.execute(_TASK, [task_id])
        row = cursor.fetchone()
    if row is None:
        raise Task.DoesNotExist
    task = TaskFacts(*(*row[:17], failed_attempts.of(row[17])))
    article, vectors = ArticleFacts(*row[18:23]), VectorFacts(*row[23:28])
    provider, seconds_to_try, seconds_of_lease, others = row[28:]
    known = why_not_running.TaskFacts(
        id=task.id,
        status=task.status,
        attempts=task.attempts,
        max_attempts=task.max_attempts,
        created_at=task.created_at,
        scheduled_at=task.scheduled_at,
        seconds_to_try=seconds_to_try,
        error_class=task.error_class,
        error_message=task.error_message,
        priority=task.priority,
        outcome=task.outcome,
        claimed_by=task.claimed_by,
        seconds_of_lease=seconds_of_lease,
        is_retired=vectors.state == "retired",
    )
    why = why_not_running.why(known, provider, article_status.brakes())
    return TaskReport(task, why, article, vectors, others, _entries(task_id))


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
