"""Returns tasks whose worker is gone or stops, and ends those that no worker will ever claim."""

from django.db import connection, transaction

from embeddings.models import Space, SpaceState
from queueops.base.database_retry import retry_on_conflict
from queueops.engine import priority_inheritance, worker_loss
from queueops.maintenance import write_outages
from queueops.models import AuditLog, Category, Event, Level, Status

_BATCH = 1_000

# An article that was edited while a worker held it can have several tasks in processing. Only one may be pending: if
# none is, the one claimed last is requeued, tasks with attempts left first. A task that plain SQL has set to processing
# has no lease at all. An attempt stays charged only to a task that was its worker's only one (engine/worker_loss.py)
# and of which no chunk was embedded and kept: otherwise the next attempt continues from there.
_RETURN_EXPIRED = f"""
WITH expired AS (
    SELECT id, article_id, space_id, processed_at, claimed_by, is_alone, attempts, max_attempts,
           {worker_loss.is_charged("embedding_tasks")} AS is_charged
    FROM embedding_tasks
    WHERE status = 'processing' AND (lease_expires_at < %(began)s OR lease_expires_at IS NULL)
    ORDER BY id LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
), progressed AS (
    SELECT id FROM expired WHERE EXISTS (SELECT FROM kept_vectors k WHERE k.article_id = expired.article_id
                                         AND k.space_id = expired.space_id AND k.kept_at >= expired.processed_at)
), charged AS (
    SELECT *, is_charged AND attempts >= max_attempts AS is_spent FROM (
        SELECT id, article_id, space_id, processed_at, claimed_by, is_alone, attempts, max_attempts,
               id IN (SELECT id FROM progressed) AS has_progressed,
               is_charged AND id NOT IN (SELECT id FROM progressed) AS is_charged
        FROM expired) AS found
), judged AS (
    SELECT e.id, e.is_spent, e.is_alone, e.is_charged, e.has_progressed, newer.id IS NOT NULL OR 1 < row_number() OVER (
               PARTITION BY e.article_id, e.space_id ORDER BY e.is_spent, e.processed_at DESC, e.id DESC
           ) AS is_superseded
    FROM charged e
    LEFT JOIN embedding_tasks newer
        ON newer.article_id = e.article_id AND newer.space_id = e.space_id AND newer.status = 'pending'
), counted AS (
    INSERT INTO performance_metrics (timestamp, name, value, labels)
    SELECT statement_timestamp(), '{worker_loss.METRIC}', count(*),
           jsonb_build_object('claimed_by', claimed_by, 'alone', bool_and(is_alone))
    FROM expired WHERE claimed_by <> '' GROUP BY claimed_by
)
UPDATE embedding_tasks t SET
    {worker_loss.BACK_TO_THE_QUEUE},
    scheduled_at = statement_timestamp(), lease_expires_at = NULL, claim_token = NULL,
    {worker_loss.COUNTED}, error_class = 'worker_lost', error_message = {worker_loss.message("judged")}
FROM judged WHERE t.id = judged.id
RETURNING t.id, t.status, t.claimed_by, is_superseded
"""  # noqa: S608  the only text put in is our own
# While the table is locked, leases end that no worker could renew. So one sweep at a time waits for it, and compares
# leases with the moment at which it started to wait; others that start meanwhile would use a later one.
_ONE_AT_A_TIME = """
SELECT pg_try_advisory_xact_lock(hashtext('vectorpress:leases')), statement_timestamp(), current_setting('lock_timeout')
"""
# The table is waited for without limit, before anything else is locked; everything else with a limit.
_WAIT_FOR_TABLE = """
SET LOCAL lock_timeout = 0;
LOCK TABLE embedding_tasks IN ROW EXCLUSIVE MODE
"""
_WAIT_AS_BEFORE = "SELECT set_config('lock_timeout', %s, true)"
# A stopping worker releases its tasks: due at once, no attempt charged, and the token removed, so that a thread that
# still finishes writes nothing.
_RELEASE_HELD = """
WITH held AS (
    SELECT id, article_id, space_id, processed_at FROM embedding_tasks
    WHERE status = 'processing' AND claimed_by = %s
    ORDER BY id
    FOR UPDATE SKIP LOCKED
), judged AS (
    SELECT h.id, newer.id IS NOT NULL OR 1 < row_number() OVER (
               PARTITION BY h.article_id, h.space_id ORDER BY h.processed_at DESC, h.id DESC
           ) AS is_superseded
    FROM held h
    LEFT JOIN embedding_tasks newer
        ON newer.article_id = h.article_id AND newer.space_id = h.space_id AND newer.status = 'pending'
)
UPDATE embedding_tasks t SET
    status = CASE WHEN is_superseded THEN 'completed' ELSE 'pending' END,
    outcome = CASE WHEN is_superseded THEN 'superseded' ELSE '' END,
    completed_at = CASE WHEN is_superseded THEN statement_timestamp() END,
    attempts = t.attempts - 1, scheduled_at = statement_timestamp(), lease_expires_at = NULL, claim_token = NULL
FROM judged WHERE t.id = judged.id
RETURNING t.id, is_superseded
"""
# Pending tasks of a retired space will never be claimed. They end as superseded rather than cancelled, which is an
# operator's decision about a text: if the space is used again, the search for drift finds the article.
_END_RETIRED = """
WITH waiting AS (
    SELECT id FROM embedding_tasks WHERE status = 'pending' AND space_id = ANY(%s)
    LIMIT %s
    FOR UPDATE SKIP LOCKED
)
UPDATE embedding_tasks t SET
    status = 'completed', outcome = 'superseded', completed_at = statement_timestamp(), error_class = '',
    error_message = 'its space was retired'
FROM waiting WHERE t.id = waiting.id
"""


def return_expired() -> tuple[int, int]:
    """Requeues tasks whose lease has ended, or parks those that were alone with their lost worker and have no attempts
    left.

    Returns (returned, parked); each task gets an audit row. Does nothing while another process does it.
    """
    return retry_on_conflict(_return_expired)


@transaction.atomic
def _return_expired() -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(_ONE_AT_A_TIME)
        is_alone, began, lock_timeout = cursor.fetchone()
        if not is_alone:
            return 0, 0
        cursor.execute(_WAIT_FOR_TABLE)
        cursor.execute(_WAIT_AS_BEFORE, [lock_timeout])
        # executed even if nothing may be returned yet: an error shows that the outage continues
        most = 0 if write_outages.is_just_over() else _BATCH
        cursor.execute(_RETURN_EXPIRED, worker_loss.arguments() | {"most": most, "began": began})
        rows = cursor.fetchall()
    priority_inheritance.inherit_rank([task_id for task_id, _, _, is_superseded in rows if is_superseded])
    parked = [row for row in rows if row[1] == Status.FAILED]
    AuditLog.objects.bulk_create(
        AuditLog(
            category=Category.SWEEP,
            event=Event.PARKED if status == Status.FAILED else Event.RETURNED,
            level=Level.ERROR if status == Status.FAILED else Level.WARNING,
            task_id=task_id,
            message=f"lease of {claimed_by or 'a worker'} ended; the task is {status} now",
        )
        for task_id, status, claimed_by, _ in rows
    )
    return len(rows) - len(parked), len(parked)


def release_held(claimed_by: str) -> int:
    """Requeues the tasks that a stopping worker still holds; returns how many."""
    return retry_on_conflict(lambda: _release_held(claimed_by))


@transaction.atomic
def _release_held(claimed_by: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE_HELD, [claimed_by])
        rows = cursor.fetchall()
    priority_inheritance.inherit_rank([task_id for task_id, is_superseded in rows if is_superseded])
    return len(rows)


@transaction.atomic
def end_retired() -> int:
    """Ends pending tasks of retired spaces, up to a thousand, with one audit row; returns how many."""
    retired = list(Space.objects.filter(state=SpaceState.RETIRED).values_list("pk", flat=True))
    if not retired:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_END_RETIRED, [retired, _BATCH])
        count = int(cursor.rowcount)
    if count:
        AuditLog.objects.create(
            category=Category.SWEEP,
            message="waiting tasks ended: their space is retired",
            metadata={"superseded": count},
        )
    return count
