"""How fast texts were embedded lately, by what the workers wrote down of their batches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection

_MOST_BATCHES = 1_000
# of one batch both numbers are written by one statement, so with one time
_BATCHES = """
WITH batches AS (
    SELECT timestamp, value, labels FROM performance_metrics
    WHERE name = 'batch_seconds' AND labels->>'space' = %s
    ORDER BY timestamp DESC LIMIT %s
)
SELECT extract(epoch FROM b.timestamp)::float8, b.value, t.value
FROM batches b JOIN performance_metrics t
    ON t.name = 'provider_texts' AND t.timestamp = b.timestamp AND t.labels = b.labels
WHERE t.value > 0 AND b.value > 0
"""


class TimedBatch(NamedTuple):
    """`ended` in seconds since the epoch; `seconds` it took, for so many `texts`."""

    ended: float
    seconds: float
    texts: float


@dataclass(frozen=True)
class Rate:
    """Texts a second of all workers together, while they worked, and in how many batches that was measured."""

    per_second: float
    batches: int


def measured(space_id: int) -> Rate | None:
    """By the newest batches of a space; None where none was measured."""
    with connection.cursor() as cursor:
        cursor.execute(_BATCHES, [str(space_id), _MOST_BATCHES])
        return of([TimedBatch(*row) for row in cursor.fetchall()])


def of(batches: Sequence[TimedBatch]) -> Rate | None:
    """The rate of a backlog: small batches, as single saves make, count only if there is none larger."""
    if not batches:
        return None
    most = max(batch.texts for batch in batches)
    large = [batch for batch in batches if batch.texts >= most / 2]
    return Rate(sum(batch.texts for batch in large) / busy_seconds(large), len(large))


def busy_seconds(batches: Iterable[TimedBatch]) -> float:
    """How long at least one of the batches was in work; what ran side by side counts once."""
    total, until = 0.0, float("-inf")
    for ended, seconds, _ in sorted(batches, key=lambda batch: batch.ended - batch.seconds):
        began = max(ended - seconds, until)
        if ended > began:
            total += ended - began
            until = ended
    return total
