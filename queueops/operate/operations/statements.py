"""What each verb does to a batch of tasks: one statement that locks, judges, changes and writes the audit rows.

A row that somebody else has locked is passed over and tried later (SKIP LOCKED), so a bulk act waits for nobody: not
for a worker that settles, and not for an editor's save. Whoever else waits, waits for one batch. What they answer is
told in models/operation.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from lib import sql_arrays
from queueops.base.signals import tasks_ready
from queueops.engine import worker_loss
from queueops.engine.enqueue import Reason, enqueue
from queueops.models import AuditLog, Operation, Priority, Status, Task, Verb
from queueops.models.operation import BUSY, MOVED_ON, TAKEN
from queueops.models.task import TaskQuerySet
from queueops.monitoring.article_filter import ArticleFilter
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate.operations import pacing
from queueops.operate.operations.sql import (
    GUARD,
    LOCKED,
    RETIRED,
    TOLD_BY_TRIGGER,
    TOLD_BY_US,
    UNHELD,
    WAITS_ALREADY,
    from_to,
    told,
)
from queueops.operate.operations.undo_sql import MAY_UNDO, UNDO

LIVE = (Status.PENDING, Status.PROCESSING)
ENDED_ON_PURPOSE = "kept: it is what says that this text was ended on purpose"

_CANCELLED = f"status = 'cancelled', completed_at = statement_timestamp(), error_message = %(why)s, {UNHELD}"
_ANSWERS = "SELECT id, answer FROM judged"
_WHOLE_ROW = "to_jsonb(l) - 'priority_rank'"

# The articles are locked too: one that is being saved or settled right now is passed over, since its save may be about
# to make the very task that would be in our way.
_MAY_REQUEUE = f"""
WITH free AS MATERIALIZED (
    SELECT a.id, a.version_number, a.content_hash FROM articles a
    WHERE a.id IN (SELECT article_id FROM embedding_tasks WHERE id = ANY(%(ids)s::bigint[]))
    ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
), {LOCKED},
judged AS MATERIALIZED (
    SELECT l.id, a.version_number, a.content_hash, CASE
        WHEN a.id IS NULL THEN '{BUSY}'
        WHEN s.state = 'retired' THEN '{RETIRED}'
        WHEN 1 < row_number() OVER (PARTITION BY l.article_id, l.space_id ORDER BY l.id DESC)
          OR EXISTS (SELECT 1 FROM embedding_tasks o
                     WHERE o.article_id = l.article_id AND o.space_id = l.space_id AND o.status = 'pending')
            THEN '{WAITS_ALREADY}'
        ELSE '' END AS answer
    FROM locked l JOIN embedding_spaces s ON s.id = l.space_id LEFT JOIN free a ON a.id = l.article_id
)
"""  # noqa: S608
_REQUEUE = f"""
, changed AS (
    UPDATE embedding_tasks t SET
        status = 'pending', attempts = 0,
        scheduled_at = statement_timestamp(), processed_at = NULL, completed_at = NULL,
        source_version = j.version_number, content_hash = j.content_hash,
        outcome = '', error_class = '', error_message = '', {UNHELD}
    FROM judged j WHERE t.id = j.id AND j.answer = ''
    RETURNING t.*
), {
    told(
        from_to(
            "status attempts scheduled_at processed_at completed_at source_version content_hash"
            " outcome error_class error_message"
        )
    )
}
SELECT id, answer FROM judged
"""  # noqa: S608
_CANCEL_COLUMNS = "status attempts completed_at error_message"
_CANCEL = f"""
WITH {LOCKED}, changed AS (
    UPDATE embedding_tasks t SET {_CANCELLED} FROM locked l WHERE t.id = l.id RETURNING t.*
), {told(from_to(_CANCEL_COLUMNS))}
SELECT id, '' FROM locked
"""  # noqa: S608
_PRIORITIZE = f"""
WITH {LOCKED}, changed AS (
    UPDATE embedding_tasks t SET priority = %(priority)s FROM locked l
    WHERE t.id = l.id AND l.priority <> %(priority)s RETURNING t.*
), {told(from_to("priority"))}
SELECT id, CASE WHEN priority = %(priority)s THEN 'it had that priority' ELSE '' END FROM locked
"""  # noqa: S608
# What has not ended is cancelled, so that the sweep does not begin it again; what has ended goes, but for the row that
# keeps the sweep from an article's present text (recovery.py), unless the operator has named such rows.
_MAY_CLEAR = f"""
WITH {LOCKED}, judged AS MATERIALIZED (
    SELECT l.id, CASE WHEN NOT %(is_named)s AND l.status IN ('failed', 'cancelled') AND EXISTS (
        SELECT 1 FROM articles a
        WHERE a.id = l.article_id AND a.content_hash = l.content_hash
          AND NOT EXISTS (SELECT 1 FROM embedding_tasks o
                          WHERE o.article_id = l.article_id AND o.space_id = l.space_id AND o.id > l.id
                            AND o.content_hash = l.content_hash AND o.status <> 'completed')
          AND NOT EXISTS (SELECT 1 FROM article_embeddings e
                          WHERE e.article_id = a.id AND e.space_id = l.space_id AND e.chunk_index = 0
                            AND e.source_hash = a.content_hash)
    ) THEN '{ENDED_ON_PURPOSE}' ELSE '' END AS answer
    FROM locked l
)
"""  # noqa: S608
_CLEAR = f"""
, changed AS (
    UPDATE embedding_tasks t SET {_CANCELLED} FROM locked l
    WHERE t.id = l.id AND l.status IN ('pending', 'processing') RETURNING t.*
), removed AS (
    DELETE FROM embedding_tasks t USING locked l JOIN judged j USING (id)
    WHERE t.id = l.id AND l.status NOT IN ('pending', 'processing') AND j.answer = '' RETURNING t.id
), {
    told(
        from_to(_CANCEL_COLUMNS),
        f"SELECT id, {_WHOLE_ROW}, NULL::jsonb FROM removed JOIN locked l USING (id)",
    )
}
{_ANSWERS}
"""  # noqa: S608
# As the sweep does it (recovery.py): one of an article's tasks waits, and one whose attempts are spent is parked. Who
# loses a task before its lease has ended is not charged for the attempt.
_RELEASE = f"""
WITH {LOCKED}, judged AS MATERIALIZED (
    SELECT l.id, l.lease_expires_at < statement_timestamp() AS has_expired, l.is_charged,
        l.is_charged AND l.attempts >= l.max_attempts AS is_spent,
        EXISTS (SELECT 1 FROM embedding_tasks o
                WHERE o.article_id = l.article_id AND o.space_id = l.space_id AND o.status = 'pending')
        OR 1 < row_number() OVER (
            PARTITION BY l.article_id, l.space_id
            ORDER BY l.is_charged AND l.attempts >= l.max_attempts, l.processed_at DESC, l.id DESC
        ) AS is_superseded
    FROM (SELECT *, lease_expires_at < statement_timestamp() AND {worker_loss.is_charged("locked")} AS is_charged
          FROM locked) l
    WHERE NOT %(stuck)s OR l.lease_expires_at < statement_timestamp()
), changed AS (
    UPDATE embedding_tasks t SET
        status = CASE WHEN is_superseded THEN 'completed' WHEN is_spent THEN 'failed' ELSE 'pending' END,
        outcome = CASE WHEN is_superseded THEN 'superseded' WHEN is_spent THEN 'failed' ELSE '' END,
        completed_at = CASE WHEN is_superseded OR is_spent THEN statement_timestamp() END,
        attempts = CASE WHEN is_charged THEN t.attempts ELSE GREATEST(t.attempts - 1, 0) END,
        losses = CASE WHEN has_expired THEN {worker_loss.NEXT} ELSE t.losses END, scheduled_at = statement_timestamp(),
        error_class = CASE WHEN has_expired THEN 'worker_lost' ELSE t.error_class END,
        error_message = CASE WHEN has_expired THEN %(why)s ELSE t.error_message END, {UNHELD}
    FROM judged j WHERE t.id = j.id RETURNING t.*
), {told(from_to("status attempts scheduled_at completed_at outcome error_class error_message"))}
SELECT id, '' FROM judged
"""  # noqa: S608


@dataclass(frozen=True)
class VerbStatements:
    """`statuses` are those of tasks it can be done to; `judge` begins the statement, and `sql` ends it, where some of
    them are passed over. `rings` says that workers have something to do afterwards. `seconds` is how long a batch
    should take: so long do others wait for its rows; `breath` is how long they get in between. `most` is how many rows
    a batch has at most."""

    statuses: tuple[Status, ...]
    sql: str
    judge: str = ""
    rings: bool = False
    can_be_undone: bool = True
    seconds: float = pacing.AIM_SECONDS
    breath: float = pacing.BREATH_SECONDS
    most: int = pacing.MOST


ACTS = {
    Verb.REQUEUE: VerbStatements((Status.FAILED, Status.CANCELLED), _REQUEUE, _MAY_REQUEUE, rings=True),
    Verb.CANCEL: VerbStatements(LIVE, _CANCEL),
    Verb.PRIORITIZE: VerbStatements(LIVE, _PRIORITIZE),
    Verb.CLEAR: VerbStatements(tuple(Status), _CLEAR, _MAY_CLEAR),
    Verb.RELEASE: VerbStatements((Status.PROCESSING,), _RELEASE, rings=True, can_be_undone=False),
    # Its statement is that of enqueue. Nobody waits for a batch but who changes the very text of an article in it.
    Verb.MIGRATE: VerbStatements((), "", rings=True, seconds=0.5, breath=0.0, most=10_000),
    Verb.UNDO: VerbStatements(tuple(Status), UNDO, MAY_UNDO, rings=True),
}


def candidates(operation: Operation) -> TaskQuerySet:
    """The tasks that an operation is about and can be done to, but for an undo, as they are now."""
    selection = TaskFilter.from_json(operation.scope)
    tasks = selection.tasks(operation.started_at).filter(
        status__in=_statuses(Verb(operation.verb), selection)
    )
    match operation.verb:
        case (
            Verb.REQUEUE
        ):  # not what fails again meanwhile; a time ahead of now was written before, by another clock
            ended = Q(completed_at__isnull=True) | Q(completed_at__lte=operation.started_at)
            return tasks.filter(ended | Q(completed_at__gt=Now()))
        case Verb.PRIORITIZE:
            return tasks.exclude(priority=operation.priority)
        case _:
            return tasks


def ids(operation: Operation, *, after: int = 0, among: Sequence[int] | None = None) -> "QuerySet[Any, int]":
    """The ids of the tasks (articles, for a migration) that are to be handled, in their order, up to the operation's
    last."""
    rows, name = _rows(operation)
    rows = rows.filter(**{f"{name}__gt": after})
    if operation.last_id:
        rows = rows.filter(**{f"{name}__lte": operation.last_id})
    if among is not None:
        rows = rows.filter(**{f"{name}__in": among})
    return rows.order_by(name).values_list(name, flat=True)


def _rows(operation: Operation) -> tuple[QuerySet[Any], str]:
    """What the operation goes through, and the name of what it is handled by."""
    if operation.verb == Verb.MIGRATE:
        return ArticleFilter.from_json(operation.scope).missing(), "pk"
    if operation.verb != Verb.UNDO:
        return candidates(operation), "pk"
    if _is_migration_undone(operation):
        queued = Task.objects.live().filter(metadata__operation=str(operation.undoes_id))
        return queued.annotate(task_id=F("pk")), "task_id"
    return AuditLog.objects.filter(operation_id=operation.undoes_id), "task_id"


def _is_migration_undone(operation: Operation) -> bool:
    """What a migration has queued is cancelled, since the sweep would only bring back what is removed."""
    return bool(operation.undoes and operation.undoes.verb == Verb.MIGRATE)


def perform(operation: Operation, task_ids: Sequence[int]) -> dict[int, str]:
    """Does it to these tasks, in the caller's transaction; answers for each why not, or TAKEN, or BUSY."""
    if operation.verb == Verb.MIGRATE:
        return _migrate(operation, task_ids)
    act = ACTS[_verb(operation)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"{TOLD_BY_US}; {act.judge}{act.sql}; {TOLD_BY_TRIGGER}", _arguments(operation, task_ids)
        )
        cursor.nextset()
        answers = dict(cursor.fetchall())
    if left := [task_id for task_id in task_ids if task_id not in answers]:
        still = ids(operation, among=left)
        answers |= dict.fromkeys(left, MOVED_ON) | dict.fromkeys(still, BUSY)
    if act.rings and TAKEN in answers.values():
        tasks_ready.send(Task)
    return answers


def judge(operation: Operation, task_ids: Sequence[int]) -> dict[int, str]:
    """What `perform` would answer for those of these tasks that it would not change; nothing is written."""
    act = ACTS[_verb(operation)]
    if not act.judge:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(act.judge + _ANSWERS, _arguments(operation, task_ids))
        return {task_id: answer for task_id, answer in cursor.fetchall() if answer not in {TAKEN, BUSY}}


def guard() -> None:
    """Settings of the caller's transaction under which an act is done."""
    with connection.cursor() as cursor:
        cursor.execute(GUARD)


def _verb(operation: Operation) -> Verb:
    """What is done to the tasks."""
    return Verb.CANCEL if _is_migration_undone(operation) else Verb(operation.verb)


def _arguments(operation: Operation, task_ids: Sequence[int]) -> dict[str, Any]:
    verb, selection = _verb(operation), TaskFilter.from_json(operation.scope)
    return {
        "ids": sql_arrays.of_integers(task_ids),
        "statuses": _statuses(verb, selection),
        "stuck": selection.stuck,
        "is_named": selection.names_tasks,
        "priority": operation.priority,
        "actor": operation.actor,
        "reason": operation.reason,
        "why": f"{verb.acted} by {operation.actor}: {operation.reason}",
        "event": operation.event,
        "message": operation.message,
        "operation": operation.pk,
        "undone": operation.undoes_id,
    } | worker_loss.arguments()


def _migrate(operation: Operation, article_ids: Sequence[int]) -> dict[int, str]:
    priority = Priority(operation.priority) if operation.priority else None
    enqueue(article_ids, Reason.MIGRATION, priority, operation=operation.pk)
    return dict.fromkeys(article_ids, TAKEN)


def _statuses(verb: Verb, selection: TaskFilter) -> list[str]:
    possible = ACTS[verb].statuses
    return [status.value for status in possible if not selection.statuses or status in selection.statuses]
