"""A worker's loop: claim and execute until nothing is due, the time slice ends, or the process must stop."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from embeddings.models import Space
from embeddings.providers.registry import provider_of
from queueops import claims, execution, leases, modes, workers
from queueops.models import Mode

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Drained:
    """`is_more` says that the slice ended before the work did."""

    tasks: int
    is_more: bool


def drain(
    worker_id: int,
    *,
    seconds: float,
    wake_another: Callable[[], None] = lambda: None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Drained:
    """Works off due tasks, a batch of each space in turn, as long as claims come back full.

    A full claim means that more may be due, so others are woken; after one that is not, what comes in rings for
    itself, and waiting for the ring makes one batch of many saves.
    """
    ends, tasks, has_woken = time.monotonic() + seconds, 0, False
    if modes.current() is Mode.DISABLED:
        return Drained(0, False)
    while time.monotonic() < ends:
        any_full = False
        for space in Space.objects.receiving():
            if is_stopping():
                return Drained(tasks, False)
            claim = claims.claim_due(space, batch_size(space), worker_id, workers.claimant(worker_id))
            if claim.is_full and not has_woken:
                wake_another()
                has_woken = True
            any_full |= claim.is_full
            tasks += _execute(claim, worker_id)
        if not any_full:
            return Drained(tasks, False)
    return Drained(tasks, True)


def batch_size(space: Space) -> int:
    """How many tasks one claim takes: as set, or what suits the provider."""
    return settings.EMBEDDING_BATCH_SIZE or provider_of(space).limits.batch


def _execute(claim: claims.Claim, worker_id: int) -> int:
    if not claim.tasks:
        return 0
    try:
        with leases.in_execution.holding(claim.token):
            settled = execution.execute(claim)
        workers.note_batch(worker_id, len(claim.tasks), settled.failed)
    except (DatabaseError, InterfaceError) as error:  # the lease brings the tasks back
        log.error("batch not settled", tasks=len(claim.tasks), error=type(error).__name__)
    return len(claim.tasks)
