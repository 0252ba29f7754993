"""Returns tasks whose worker is gone or stops, and ends those that no worker will ever claim."""

from django.db import connection, transaction

from embeddings.models import Space, SpaceState
from queueops.base.database_retry import retry_on_conflict
from queueops.engine import priority_inheritance, worker_loss
from queueops.maintenance import write_outages
from queueops.models import AuditLog, Category, Event, Level, Status

_BATCH = 1_000

# An article that was edited while a worker held it can have several tasks in work. Only one may wait: where none does
# already, the one claimed last goes back, one with attempts left before one without. What plain SQL has marked as in
# work has no lease at all. An attempt stays charged only to a task that its worker held alone (engine/worker_loss.py),
# and of which no chunk was embedded and kept in it: the next attempt continues there.
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
# While the table is locked, leases end that nobody could renew. So one sweep at a time waits for it, and judges by the
# moment at which it began to: all others that begin while it waits would judge by a later one.
_ONE_AT_A_TIME = """
SELECT pg_try_advisory_xact_lock(hashtext('vectorpress:leases')), statement_timestamp(), current_setting('lock_timeout')
"""
# The table is waited for before anything else is locked, and nothing else without end.
_WAIT_FOR_TABLE = """
SET LOCAL lock_timeout = 0;
LOCK TABLE embedding_tasks IN ROW EXCLUSIVE MODE
"""
_WAIT_AS_BEFORE = "SELECT set_config('lock_timeout', %s, true)"
# A worker that is told to stop gives its tasks back: due at once, no attempt charged, and the token gone, so that
# a thread of it that still finishes writes nothing.
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
# What waits in a space that was retired will never be claimed. It ends as superseded rather than cancelled, which is an
# operator's word about a text: should the space come back, the search for drift finds the article again.
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
    """Gives tasks whose lease has ended back to the queue, or parks those that lost their worker alone, once their
    attempts are spent.

    Answers (returned, parked); each has an audit row. Does nothing while another process is at it.
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
        # even where nothing may be returned yet the statement is tried: what refuses it is an outage that goes on
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
    """Gives back what a stopping worker still holds; answers how many tasks."""
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
    """Ends tasks that wait in a retired space, up to a thousand, with one audit row; answers how many."""
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
