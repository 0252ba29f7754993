"""Dramatiq actors: wake-ups, which mean only that there may be work."""

import dramatiq
import structlog
from django.db import DatabaseError, InterfaceError

from embeddings.models import Space
from embeddings.storage import ann_index
from queueops.base import database_refusals, installed, shutdown
from queueops.engine import storage_probe
from queueops.engine.table_lock_pause import locked_out
from queueops.wakeups import doorbell
from queueops.wakeups.timer import wakeup_timer
from queueops.worker.drain import drain
from queueops.worker.housekeeper import housekeeper

# Long enough to amortise a wake-up, short enough not to delay a stop.
_SLICE_SECONDS = 20.0
# While the database is away or refuses, each process retries at this interval.
_AWAY_SECONDS = 1.0

log = structlog.get_logger(__name__)


@dramatiq.actor(queue_name=doorbell.QUEUE, actor_name=doorbell.EMBED_DUE)
def embed_due(v: int = 1) -> None:
    """Works off due tasks. `v` is the message's version; the rows, not the message, define the work."""
    try:
        if not installed.is_there():
            return
        drained = drain(
            housekeeper.registered(),
            seconds=_SLICE_SECONDS,
            wake_another=doorbell.ring,
            wake_in=wakeup_timer.ring_in,
            is_stopping=shutdown.is_requested,
        )
    except (DatabaseError, InterfaceError) as error:
        storage_probe.noted(error)
        wakeup_timer.ring_in(max(storage_probe.brake.left, _AWAY_SECONDS))
        return
    if drained.is_more:
        doorbell.ring()
    elif drained.wait is not None:
        wakeup_timer.ring_in(drained.wait)


@dramatiq.actor(queue_name=doorbell.QUEUE, actor_name=doorbell.BUILD_INDEXES)
def build_indexes(v: int = 1) -> None:
    """Builds the approximate index of each space that is large enough for one; one process at a time."""
    locked_out.unless(_build_indexes)  # the next sweep sends another wake-up


def _build_indexes() -> None:
    for space in Space.objects.receiving():
        try:
            if ann_index.is_wanted(space):
                ann_index.build(space)
        except (DatabaseError, InterfaceError) as error:
            if not locked_out.note(error):
                log.warning(
                    "index not built; a later sweep will retry", reason=str(database_refusals.of(error))
                )
