"""Whether the database takes vectors: what this process has found, and a small write that asks."""

import time

import structlog
from django.db import DatabaseError, InterfaceError

from embeddings.models import Space
from embeddings.storage import vectors
from queueops.base import database_refusals, shutdown
from queueops.base.database_refusals import Blame, Refusal
from queueops.engine.storage_breaker import StorageBrake
from queueops.engine.table_lock_pause import locked_out

_LEAST_WAIT = 0.1
_PAUSE_SECONDS = 0.5
brake = StorageBrake()

log = structlog.get_logger(__name__)


def refused(refusal: Refusal) -> None:
    """The process stops claiming, and tries again by itself."""
    if brake.refused(refusal):
        log.error("the database takes no vectors; nothing is claimed until it does", reason=str(refusal))


def noted(error: Exception) -> Refusal:
    """What a database error says, noted where it says that the database takes no writes, or that a table is locked."""
    refusal = database_refusals.of(error)
    if locked_out.note(error):
        return refusal
    if refusal.blame is Blame.CONNECTION:
        log.warning("the database is away; trying again", reason=str(refusal))
    else:
        refused(refusal)
    return refusal


def accepted() -> None:
    """The process goes on where it had stopped."""
    if brake.is_on and brake.accepted():
        log.warning("the database takes vectors again")


def wait(space: Space) -> float:
    """Seconds until a worker may claim for a space; 0.0: now. While the database refuses vectors, whoever has the turn
    asks it with a write of its own, so that no provider is paid for what cannot be stored."""
    if not brake.is_on:
        return 0.0
    if held := brake.ask():
        return held
    if refusal := refusal_of_a_row(space):
        refused(refusal)
        return max(brake.left, _LEAST_WAIT)
    return 0.0


def await_turn(until: float) -> bool:
    """Waits for leave to write vectors again; False where the moment `until` comes first, or the process is to stop."""
    while locked_out.is_lasting():
        if time.monotonic() >= until or not shutdown.rest(_PAUSE_SECONDS):
            return False
    if time.monotonic() >= until or not shutdown.rest(0):
        return False
    return brake.await_turn(until, shutdown.rest)


def refusal_of_a_row(space: Space, besides: list[int] | None = None) -> Refusal | None:
    """What the database has against a row of another article than these; None where it takes one."""
    try:
        vectors.try_write(space.pk, space.dimensions, besides or [])
    except (DatabaseError, InterfaceError) as error:
        return None if locked_out.note(error) else database_refusals.of(error)
    return None
