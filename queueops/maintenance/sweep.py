"""The sweep: recovers lost work. It returns expired leases, enqueues drift, and sends wake-ups."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from embeddings.models import Space, SpaceState
from embeddings.storage import ann_index
from queueops.base import failpoints
from queueops.base.database_retry import retry_on_conflict
from queueops.engine import modes, partial_vectors, priority_inheritance, worker_loss
from queueops.engine.enqueue import Reason, enqueue
from queueops.engine.table_lock_pause import locked_out
from queueops.maintenance import clock_repair, write_outages
from queueops.models import AuditLog, Level, Mode, Operation, Task, worker_registry
from queueops.wakeups import doorbell

_BATCH = 1_000
_DRIFT_SECONDS = 60.0
_drift_sought_at = float("-inf")


@dataclass(frozen=True)
class Swept:
    """The result of one sweep: leases returned to the queue, tasks parked because they kept losing their worker,
    articles enqueued because their vectors were behind, and whether tasks were due."""

    returned: int
    parked: int
    drifted: int
    is_due: bool


# One leader per sweep, the first to update the row; a doubled sweep would be harmless. A sweep time in the future was
# written before the clock stepped back: it is due. The clock is read at the row itself, so that of two simultaneous
# processes the second does not take the first one's time for a future one.
_LEAD = """
WITH before AS (
    SELECT swept_at > clock_timestamp() + interval '1 second' AS is_ahead FROM queue_state WHERE id = 1
)
INSERT INTO queue_state (id, swept_at) VALUES (1, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET swept_at = clock_timestamp()
WHERE queue_state.swept_at IS NULL OR queue_state.swept_at <= clock_timestamp() - %s * interval '1 second'
   OR queue_state.swept_at > clock_timestamp()
RETURNING coalesce((SELECT is_ahead FROM before), false)
"""
# An article that was edited while a worker held it can have several tasks in processing. Only one may be pending: if
# none is, the one claimed last is requeued, tasks with attempts left first. A task that plain SQL has set to processing
# has no lease at all. An attempt stays charged only to a task that was its worker's only one (worker_loss.py) and of
# which no chunk was embedded and kept: otherwise the next attempt continues from there.
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
    status = CASE WHEN is_superseded THEN 'completed' WHEN is_spent THEN 'failed' ELSE 'pending' END,
    outcome = CASE WHEN is_superseded THEN 'superseded' WHEN is_spent THEN 'failed' ELSE '' END,
    completed_at = CASE WHEN is_superseded OR is_spent THEN statement_timestamp() END,
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
# operator's decision about a text: if the space comes back, the search for drift finds the article again.
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
# An article that is behind is enqueued unless it has a live task, or one for exactly this text was parked or cancelled:
# the sweep does not restart what an operator or the provider has ended. Nor an article that a staged backfill left for
# later and that nothing has touched yet. The article's times do not count, since any writer may set them; it need not
# be old either: a save commits with its task, so one statement sees both or neither.
_DRIFTED = """
SELECT a.id FROM articles a
WHERE NOT EXISTS (SELECT 1 FROM article_embeddings e WHERE e.article_id = a.id AND e.space_id = %(space)s
                  AND e.chunk_index = 0 AND e.source_hash = a.content_hash)
  AND NOT EXISTS (SELECT 1 FROM embedding_tasks t WHERE t.article_id = a.id AND t.space_id = %(space)s
                  AND (t.status IN ('pending', 'processing')
                       OR (t.status IN ('failed', 'cancelled') AND t.content_hash = a.content_hash)))
  AND (NOT %(is_staged)s OR a.id > %(newest)s::bigint OR a.created_at > %(began)s::timestamptz
       OR EXISTS (SELECT FROM article_embeddings e WHERE e.article_id = a.id)
       OR EXISTS (SELECT FROM embedding_tasks t WHERE t.article_id = a.id))
ORDER BY a.id LIMIT %(limit)s
"""


def sweep_if_leader(interval: timedelta, *, with_leases: bool = True) -> Swept | None:
    """One sweep, unless another process has made one within the interval."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LEAD, [interval.total_seconds()])
        led = cursor.fetchone()
        if led and led[0]:  # in one transaction with the new sweep time, which hides the step afterwards
            clock_repair.lift_provider_waits()
    return sweep(with_leases=with_leases) if led else None


def sweep(*, with_leases: bool = True) -> Swept:
    """Corrects times written by another clock, returns expired leases (unless the clock has just jumped ahead), removes
    silent workers, ends tasks of retired spaces, enqueues drift, and sends a wake-up if tasks are due."""
    locked_out.unless(clock_repair.correct_times)
    returned, parked = return_expired() if with_leases else (0, 0)
    failpoints.reach("sweep_returned")
    worker_registry.forget_silent()
    end_retired()
    partial_vectors.sweep()
    is_due = Task.objects.due().exists()
    drifted = enqueue_drift() if _is_time_for_drift(is_due) else 0
    if is_due or drifted:
        doorbell.ring()
    elif any(ann_index.is_wanted(space) for space in Space.objects.receiving()):
        doorbell.ring(doorbell.BUILD_INDEXES)  # after the load: a live index slows every insert
    return Swept(returned, parked, drifted, bool(is_due or drifted))


def _is_time_for_drift(is_due: bool) -> bool:
    """Looking for drift reads every article, so while there is other work it is done once per minute."""
    global _drift_sought_at
    if modes.current() is Mode.DISABLED:
        return False
    if is_due and time.monotonic() - _drift_sought_at < _DRIFT_SECONDS:
        return False
    _drift_sought_at = time.monotonic()
    return True


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
    parked = [row for row in rows if row[1] == "failed"]
    AuditLog.objects.bulk_create(
        AuditLog(
            category="sweep",
            level=Level.ERROR if status == "failed" else Level.WARNING,
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
            category="sweep",
            message="waiting tasks ended: their space is retired",
            metadata={"superseded": count},
        )
    return count


def enqueue_drift() -> int:
    """Enqueues articles whose text changed without a signal (plain SQL, fixtures); returns how many."""
    left = left_by(Operation.objects.newest_stage())
    count = 0
    for space in Space.objects.receiving():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_DRIFTED, {"space": space.pk, "limit": _BATCH} | left)
            ids = [article_id for (article_id,) in cursor.fetchall()]
            count += enqueue(ids, Reason.DRIFT) if ids else 0
    return count


def left_by(stage: Operation | None) -> dict[str, Any]:
    """The arguments of _DRIFTED that exclude the articles a backfill left for later; operations of older versions have
    only the time."""
    if stage is None:
        return {"is_staged": False, "newest": None, "began": None}
    began = stage.started_at if stage.newest_article is None else None
    return {"is_staged": True, "newest": stage.newest_article, "began": began}
