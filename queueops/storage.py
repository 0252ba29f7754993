"""Whether the database takes vectors: what this process has found, and a small write that asks."""

import structlog
from django.db import DatabaseError, InterfaceError

from embeddings import vectors
from embeddings.models import Space
from queueops import refusals
from queueops.refusals import Blame, Refusal
from queueops.storage_brake import StorageBrake

_LEAST_WAIT = 0.1
# What says nothing of whether vectors are taken.
PASSING = (Blame.CONNECTION, Blame.LOCK)
brake = StorageBrake()

log = structlog.get_logger(__name__)


def refused(refusal: Refusal) -> None:
    """The process stops claiming, and tries again by itself."""
    if brake.refused(refusal):
        log.error("the database takes no vectors; nothing is claimed until it does", reason=str(refusal))


def noted(error: Exception) -> Refusal:
    """What a database error says, noted where it says that the database takes no writes."""
    refusal = refusals.of(error)
    if refusal.blame in PASSING:
        log.warning("the database is away or busy; trying again", reason=str(refusal))
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


def refusal_of_a_row(space: Space, besides: list[int] | None = None) -> Refusal | None:
    """What the database has against a row of another article than these; None where it takes one."""
    try:
        vectors.try_write(space.pk, space.dimensions, besides or [])
    except (DatabaseError, InterfaceError) as error:
        refusal = refusals.of(error)
        return None if refusal.blame is Blame.LOCK else refusal
    return None
