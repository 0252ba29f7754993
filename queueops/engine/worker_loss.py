"""What the loss of a worker tells of the tasks it held; fragments of SQL.

A worker that dies takes along all it holds, and one text at most may be why. So a loss is counted for each of them, and
what was lost is tried in ever smaller company; an attempt is charged to a task only that was alone in its worker's
hands, as its row says, and only where nothing tells of the machine instead: other workers were lost at the same time,
or since the task was lost before.
"""

from typing import Any

from queueops.models import worker_registry

METRIC = "worker_lost"
"""A row for each worker that was lost with tasks: how many, who it was, and whether with one task alone."""
ENDED = "worker_ended"
"""A row for each worker process that ended although nobody asked it to; its label `how` says how."""

WAS_LOST = "error_class IN ('worker_lost', 'provider_lost')"
# Lost in the full batch, and in small company: from here on with nothing beside it.
IS_ON_TRIAL = "error_class = 'worker_lost' AND losses >= 2"

_SILENT_BEATS = 2
_MOST = 10_000  # the column holds a little more
# What changes in a task `t` that was lost; `is_charged` and `has_progressed` are in reach. One that is not charged has
# an attempt left. Where passages were embedded meanwhile, it counts as a first loss: the text was not what ended it.
NEXT = f"CASE WHEN t.error_class = 'worker_lost' THEN LEAST(t.losses, {_MOST}) + 1 ELSE 1 END"
COUNTED = f"""
    attempts = CASE WHEN is_charged THEN t.attempts ELSE GREATEST(LEAST(t.attempts, t.max_attempts) - 1, 0) END,
    losses = CASE WHEN has_progressed THEN 1 ELSE {NEXT} END"""


def silent_seconds() -> float:
    """A worker that has said nothing for this long is presumed dead, long before its lease ends."""
    return _SILENT_BEATS * worker_registry.beat_seconds() + 1


def is_charged(row: str) -> str:
    """Whether an attempt stays charged to a task whose lease has ended. The parameter `silent` is `silent_seconds()`.

    Deaths with one task alone say nothing of others, or two texts that kill would clear each other for ever.
    """
    return f"""({row}.is_alone
    AND NOT EXISTS (SELECT FROM performance_metrics m WHERE m.name = '{METRIC}' AND m.timestamp > {row}.scheduled_at
                    AND m.labels->>'alone' = 'false')
    AND NOT EXISTS (SELECT FROM embedding_worker_status w WHERE w.is_running AND 'worker ' || w.id <> {row}.claimed_by
                    AND w.last_seen_at BETWEEN {row}.processed_at - %(silent)s * interval '1 second'
                                       AND statement_timestamp() - %(silent)s * interval '1 second'))"""  # noqa: S608


def message(row: str) -> str:
    """What a task that was lost says of it."""
    return f"""CASE WHEN {row}.is_charged THEN 'its worker died or hung with nothing else in its hands'
    WHEN {row}.is_alone THEN 'its worker died or hung, and others with it: no attempt was charged'
    ELSE 'its worker died or hung with more in its hands: no attempt was charged' END"""


def arguments() -> dict[str, Any]:
    """The parameters of these fragments."""
    return {"silent": silent_seconds()}
