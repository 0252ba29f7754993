"""The sweep: recovers lost work. It returns expired leases, enqueues drift, and sends wake-ups."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError, connection, transaction

from embeddings.models import Space
from embeddings.storage import ann_index
from queueops.base import database_refusals, failpoints
from queueops.base.database_refusals import Blame
from queueops.engine import partial_vectors
from queueops.engine.table_lock_pause import locked_out
from queueops.maintenance import clock_repair, drift, reaper
from queueops.models import Task, worker_registry
from queueops.wakeups import doorbell


@dataclass(frozen=True)
class Swept:
    """The result of one sweep: leases returned to the queue, tasks parked because they kept losing their worker,
    articles enqueued because their vectors were behind, whether tasks were due, and the first error of a step that
    the database refused."""

    returned: int
    parked: int
    drifted: int
    is_due: bool
    error: DatabaseError | None = None


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


def sweep_if_leader(interval: timedelta, *, with_leases: bool = True) -> Swept | None:
    """One sweep, unless another process has made one within the interval."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LEAD, [interval.total_seconds()])
        led = cursor.fetchone()
        if led and led[0]:  # in one transaction with the new sweep time, which hides the step afterwards
            clock_repair.lift_provider_waits()
    return sweep(with_leases=with_leases) if led else None


class _Steps:
    """Steps of which one that the database refuses does not keep it from the others."""

    def __init__(self) -> None:
        self.error: DatabaseError | None = None

    def do[T](self, work: Callable[[], T], otherwise: T) -> T:
        """The result of `work`, or `otherwise` with the first refusal in `error`. Raises DatabaseError if the database
        is away or a whole table is locked."""
        try:
            return work()
        except DatabaseError as error:
            is_away = database_refusals.of(error).blame is Blame.CONNECTION
            if is_away or connection.in_atomic_block or (locked_out.note(error) and locked_out.is_lasting()):
                raise
            self.error = self.error or error
            return otherwise


def sweep(*, with_leases: bool = True) -> Swept:
    """Corrects times written by another clock, returns expired leases (unless the clock has just jumped ahead), removes
    silent workers, ends tasks of retired spaces, enqueues drift, and sends a wake-up if tasks are due."""
    steps = _Steps()
    steps.do(lambda: locked_out.unless(clock_repair.correct_times), None)
    returned, parked = steps.do(reaper.return_expired, (0, 0)) if with_leases else (0, 0)
    failpoints.reach("sweep_returned")
    steps.do(worker_registry.forget_silent, 0)
    steps.do(reaper.end_retired, 0)
    steps.do(partial_vectors.sweep, 0)
    is_due = Task.objects.due().exists()
    drifted = steps.do(drift.enqueue_drift, 0) if drift.is_looked_for() else 0
    if is_due or drifted:
        doorbell.ring()
    elif any(ann_index.is_wanted(space) for space in Space.objects.receiving()):
        doorbell.ring(doorbell.BUILD_INDEXES)  # after the load: a live index slows every insert
    return Swept(returned, parked, drifted, bool(is_due or drifted), steps.error)
