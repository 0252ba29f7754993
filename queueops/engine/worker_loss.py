"""How the loss of a worker counts for the tasks it held; fragments of SQL.

A worker that dies loses all tasks it holds, and at most one text is the cause. So a loss is counted for each of them,
and lost tasks are retried in ever smaller batches. An attempt is charged only to a task that was its worker's only one
(`is_alone`), and only if nothing points to the machine instead: other workers lost at the same time, or since the task
was lost before.
"""

from typing import Any

from queueops.models import worker_registry

METRIC = "worker_lost"
"""A row per worker that was lost with tasks: how many, its name, and whether it held a single task."""
ENDED = "worker_ended"
"""A row per worker process that ended unasked; its label `how` holds the signal or exit code."""

WAS_LOST = "error_class IN ('worker_lost', 'provider_lost')"
# Lost in a full batch and again in a small one: from here on claimed alone.
IS_ON_TRIAL = "error_class = 'worker_lost' AND losses >= 2"

_SILENT_BEATS = 2
_MOST = 10_000  # the column holds a little more
# Changes to a lost task `t`; the columns `is_charged` and `has_progressed` are in scope. A task that is not charged
# has an attempt left. If chunks were embedded meanwhile, it counts as a first loss: the text was not the cause.
NEXT = f"CASE WHEN t.error_class = 'worker_lost' THEN LEAST(t.losses, {_MOST}) + 1 ELSE 1 END"
COUNTED = f"""
    attempts = CASE WHEN is_charged THEN t.attempts ELSE GREATEST(LEAST(t.attempts, t.max_attempts) - 1, 0) END,
    losses = CASE WHEN has_progressed THEN 1 ELSE {NEXT} END"""

# Of several tasks of one article released together, one becomes pending (`is_superseded` marks the others), and one
# without an attempt left is parked (`is_spent`).
BACK_TO_THE_QUEUE = """
    status = CASE WHEN is_superseded THEN 'completed' WHEN is_spent THEN 'failed' ELSE 'pending' END,
    outcome = CASE WHEN is_superseded THEN 'superseded' WHEN is_spent THEN 'failed' ELSE '' END,
    completed_at = CASE WHEN is_superseded OR is_spent THEN statement_timestamp() END"""


def silent_seconds() -> float:
    """A worker not seen for this long is presumed dead, long before its lease ends."""
    return _SILENT_BEATS * worker_registry.beat_seconds() + 1


def is_charged(row: str) -> str:
    """Whether an attempt stays charged to a task whose lease has ended. The parameter `silent` is `silent_seconds()`.

    Deaths with a single task do not count for others, or two deadly texts would excuse each other for ever.
    """
    return f"""({row}.is_alone
    AND NOT EXISTS (SELECT FROM performance_metrics m WHERE m.name = '{METRIC}' AND m.timestamp > {row}.scheduled_at
                    AND m.labels->>'alone' = 'false')
    AND NOT EXISTS (SELECT FROM embedding_worker_status w WHERE w.is_running AND 'worker ' || w.id <> {row}.claimed_by
                    AND w.last_seen_at BETWEEN {row}.processed_at - %(silent)s * interval '1 second'
                                       AND statement_timestamp() - %(silent)s * interval '1 second'))"""  # noqa: S608


def message(row: str) -> str:
    """The error message of a lost task."""
    return f"""CASE WHEN {row}.is_charged THEN 'its worker died or hung while it held only this task'
    WHEN {row}.is_alone THEN 'its worker died or hung together with others: no attempt was charged'
    ELSE 'its worker died or hung while it held other tasks too: no attempt was charged' END"""


def arguments() -> dict[str, Any]:
    """The parameters of these fragments."""
    return {"silent": silent_seconds()}
