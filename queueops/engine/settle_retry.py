"""Retries settling a batch that the database refuses, or whose table is locked, as long as its lease may be renewed;
then requeues its tasks uncharged, as soon as the database accepts that."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import structlog
from django.db import DatabaseError, InterfaceError, connection

from embeddings.indexing.store import RecipeConflictError
from embeddings.providers.errors import ErrorClass, ProviderError
from queueops.base import database_refusals
from queueops.base.database_refusals import Blame, Refusal
from queueops.engine import settling, settling_in_parts, storage_probe
from queueops.engine.claims import Claim, Claimed
from queueops.engine.results import Batch, Effort, Settled
from queueops.engine.unsaved_vectors import unsaved

_LOCK_SECONDS = 1.0
_LEAST_WAIT = 1.0

log = structlog.get_logger(__name__)


class _Owed:
    """Claims whose tasks could not be requeued yet; safe for any thread."""

    def __init__(self) -> None:
        self._claims: list[tuple[Claim, Refusal]] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._claims)

    def add(self, claim: Claim, refusal: Refusal) -> None:
        with self._lock:
            self._claims.append((claim, refusal))

    def take(self) -> list[tuple[Claim, Refusal]]:
        """Removes and returns all of them."""
        with self._lock:
            taken, self._claims = self._claims, []
            return taken


owed = _Owed()


def settle(batch: Batch, until: float) -> Settled:
    """As settling_in_parts.settle; while the database refuses or a table is locked, retried until the moment `until`
    or until the process stops. If that moment has passed, no lock on an article is waited for either."""
    while True:
        try:
            settled = settling_in_parts.settle(batch, waits=time.monotonic() < until)
        except RecipeConflictError as error:  # it was changed while the batch ran: no retry will store these
            return give_back(batch.claim, database_refusals.of(error), batch.effort)
        except (DatabaseError, InterfaceError) as error:
            refusal = storage_probe.noted(error)
            if connection.in_atomic_block and refusal.blame is Blame.CONNECTION:
                raise
        else:
            storage_probe.settled(batch.claim.space)
            return settled
        if not _may_retry(until):
            unsaved.keep(batch.claim.space.pk, batch.by_hash)
            return give_back(batch.claim, refusal, batch.effort)


def _may_retry(until: float) -> bool:
    """Waits for the next attempt; False inside a transaction, where there is none."""
    if connection.in_atomic_block:
        return False
    connection.close()
    return storage_probe.await_turn(until)


def give_back(claim: Claim, refusal: Refusal, effort: Effort | None = None) -> Settled:
    """Requeues a claim's tasks uncharged; if the database refuses that too, the claim is added to `owed`."""
    wait = max(storage_probe.brake.left, _LEAST_WAIT)
    try:
        given = _give_back(claim, claim.tasks, refusal, wait)
    except (DatabaseError, InterfaceError) as error:
        log.warning(
            "tasks not requeued; retrying",
            tasks=len(claim.tasks),
            reason=str(database_refusals.of(error)),
        )
        owed.add(_without_texts(claim), refusal)
        given = 0
    return Settled(Counter(), given, len(claim.tasks) - given, effort or Effort(), wait if given else None)


def give_back_owed() -> int:
    """Requeues the tasks of the claims in `owed`; returns how many. Raises DatabaseError while the database still
    refuses. A lease that has ended meanwhile does not matter as long as no other worker has the task."""
    given, claims = 0, owed.take()
    while claims:
        claim, refusal = claims[-1]
        try:
            given += _give_back(claim, claim.tasks, refusal, 0.0)
        except (DatabaseError, InterfaceError):
            for claim, refusal in claims:
                owed.add(claim, refusal)
            raise
        claims.pop()
    return given


def _give_back(claim: Claim, tasks: Sequence[Claimed], refusal: Refusal, seconds: float) -> int:
    return settling.give_back(claim, tasks, _error(refusal), seconds, _LOCK_SECONDS)


def _error(refusal: Refusal) -> ProviderError:
    if refusal.blame is Blame.LOCK:
        return ProviderError(ErrorClass.TRANSIENT, "another session kept a table locked")
    return ProviderError(
        ErrorClass.STORAGE_REFUSED,
        f"the database does not accept vectors ({refusal}); the text is not at fault",
    )


def _without_texts(claim: Claim) -> Claim:
    """The claim without article texts, since it may be held for long."""
    tasks = [task._replace(source=task.source._replace(title="", content="")) for task in claim.tasks]
    return replace(claim, tasks=tasks)
