"""Whether the database accepts vectors: what this process has found, and a small write that probes it."""

import time
from collections.abc import Callable
from dataclasses import replace

import structlog
from django.db import DatabaseError, InterfaceError

from embeddings.models import Space
from embeddings.storage import kept_vectors, vectors
from queueops.base import database_refusals, shutdown
from queueops.base.database_refusals import Blame, Refusal
from queueops.engine import batch_history
from queueops.engine.storage_breaker import StorageBrake
from queueops.engine.table_lock_pause import locked_out

_LEAST_WAIT = 0.1
_PAUSE_SECONDS = 0.5
brake = StorageBrake()

log = structlog.get_logger(__name__)


def refused(refusal: Refusal) -> None:
    """Stops claiming in this process; it retries by itself."""
    if brake.refused(refusal):
        log.error("the database does not accept vectors; claiming stops until it does", reason=str(refusal))


def noted(error: Exception) -> Refusal:
    """The refusal in a database error; noted if the database accepts no writes or a table is locked."""
    refusal = database_refusals.of(error)
    if locked_out.note(error):
        return refusal
    if refusal.blame is Blame.CONNECTION:
        log.warning("the database is away; retrying", reason=str(refusal))
    else:
        refused(refusal)
    return refusal


def accepted() -> None:
    """Resumes claiming in this process."""
    if brake.is_on and brake.accepted():
        log.warning("the database accepts vectors again")


def settled(space: Space) -> None:
    """Resumes claiming after a batch was settled, if the database accepts the rows that this batch did not need, too:
    one of long articles that ended its turn has stored no vectors, and one of short articles has kept none."""
    if not brake.is_on:
        return
    refusal = refusal_of_a_row(space)
    if refusal is None:
        accepted()
    else:
        refused(refusal)


def wait(space: Space) -> float:
    """Seconds until a worker may claim for a space; 0.0: now. While the database refuses vectors, one thread at a time
    probes it with a small write, so that no provider call is paid for vectors that cannot be stored."""
    if not brake.is_on:
        return 0.0
    if held := brake.ask():
        return held
    if refusal := refusal_of_a_row(space):
        refused(refusal)
        return max(brake.left, _LEAST_WAIT)
    return 0.0


def await_turn(until: float) -> bool:
    """Waits for its turn to write vectors again; False if the moment `until` comes first, or the process stops."""
    while locked_out.is_lasting():
        if time.monotonic() >= until or not shutdown.sleep(_PAUSE_SECONDS):
            return False
    if time.monotonic() >= until or not shutdown.sleep(0):
        return False
    return brake.await_turn(until, shutdown.sleep)


def refusal_of_a_row(space: Space, besides: list[int] | None = None) -> Refusal | None:
    """The refusal for a probe row in one of the tables that a batch writes to, of an article other than `besides`; None
    if the database accepts all of them, or a table is only locked."""
    others_than = besides or []
    probes: dict[str, Callable[[], None]] = {
        "article_embeddings": lambda: vectors.try_write(space.pk, space.dimensions, others_than),
        "kept_vectors": lambda: kept_vectors.try_write(space.pk, others_than),
        "embedding_audit_logs": batch_history.try_audit_row,
        "performance_metrics": batch_history.try_metric,
    }
    for table, write in probes.items():
        try:
            write()
        except (DatabaseError, InterfaceError) as error:
            if locked_out.note(error):
                return None
            refusal = database_refusals.of(error)
            return refusal if table == "article_embeddings" else replace(refusal, table=table)
    return None
