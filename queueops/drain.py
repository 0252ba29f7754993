"""A worker's loop: claim and execute until nothing is due, the time slice ends, or the process must stop."""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from embeddings.models import Space
from embeddings.providers.registry import provider_of
from queueops import claims, execution, gate, installed, lanes, leases, modes, trials, workers
from queueops.claims import Claim
from queueops.company import Company
from queueops.gate import Passage
from queueops.models import Mode
from queueops.results import Settled

# A slice sees a new or retired space this much later: reading them for each batch cost more than the claim.
_SPACES_SECONDS = 0.5

log = structlog.get_logger(__name__)
_of_the_lost = Company(claims.COMPANY)


@dataclass(frozen=True)
class Drained:
    """`is_more` says that the slice ended before the work did. `wait`: a provider cannot be asked now, and in so many
    seconds it is worth another look."""

    tasks: int
    is_more: bool
    wait: float | None = None


@dataclass(frozen=True)
class _Turn:
    """One space's turn: tasks claimed, whether another look is worth while, and the wait for its provider, 0.0 for
    none."""

    tasks: int = 0
    look_again: bool = False
    wait: float = 0.0


def drain(
    worker_id: int,
    *,
    seconds: float,
    wake_another: Callable[[], None] = lambda: None,
    wake_in: Callable[[float], None] = lambda seconds: None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Drained:
    """Works off due tasks, a batch of each space in turn, as long as claims come back full.

    A full claim means that more may be due, so others are woken; after one that is not, what comes in rings for
    itself, and waiting for the ring makes one batch of many saves. What failed and is to be tried again is rung for
    once all of its batch is due: `wake_in` so many seconds.
    """
    ends, tasks, wake = time.monotonic() + seconds, 0, functools.cache(wake_another)  # once a slice
    spaces, known_until = list[Space](), 0.0
    while (now := time.monotonic()) < ends and installed.is_there():
        if modes.current() is Mode.DISABLED:
            return Drained(tasks, False)
        if now >= known_until:
            spaces, known_until = list(Space.objects.receiving()), now + _SPACES_SECONDS
        turns: list[_Turn] = []
        for space in spaces:
            if is_stopping():
                return Drained(tasks, False)
            with trials.hands.beside_others(is_stopping) as may_begin:
                turns.append(_turn(space, worker_id, wake, wake_in) if may_begin else _Turn())
            tasks += turns[-1].tasks
        tried = trials.run(spaces, worker_id, _execute, batch_size, is_stopping) if trials.is_time() else 0
        tasks += tried
        if not tried and not any(turn.look_again for turn in turns):
            return Drained(tasks, False, min((turn.wait for turn in turns if turn.wait), default=None))
    return Drained(tasks, True)


def _turn(space: Space, worker_id: int, wake: Callable[[], None], wake_in: Callable[[float], None]) -> _Turn:
    passage = gate.ask(space.provider)
    if passage.wait:
        return _Turn(wait=passage.wait)
    most = batch_size(space)
    size, with_trial = 1 if passage.canary else most, trials.is_trusting(most)
    with lanes.of_this_process().enter() as may_backfill:
        with_low = passage.with_low and (may_backfill or passage.canary is not None)
        claim = claims.claim_due(
            space,
            size,
            worker_id,
            workers.claimant(worker_id),
            with_low=with_low,
            company=most if with_trial else _of_the_lost.size(),
            with_trial=with_trial,
        )
        if not claim.tasks:
            gate.withdraw(passage)
            return _Turn()
        if claim.is_full and not passage.canary:  # what the canary finds out comes first
            wake()
        settled = _execute(claim, worker_id, passage)
    of_the_lost = trials.company if with_trial else _of_the_lost
    of_the_lost.note(sum(task.was_lost for task in claim.tasks))
    if settled and settled.retry_in:
        wake_in(settled.retry_in)
    return _Turn(len(claim.tasks), look_again=claim.is_full or bool(settled and settled.retried))


def batch_size(space: Space) -> int:
    """How many tasks one claim takes: as set, or what suits the provider."""
    return settings.EMBEDDING_BATCH_SIZE or provider_of(space).limits.batch


def _execute(claim: Claim, worker_id: int, passage: Passage) -> Settled | None:
    """What was settled; None where the database did not take it, so that the lease brings the tasks back."""
    try:
        with leases.in_execution.holding(claim.token):
            settled = execution.execute(claim, passage=passage)
    except (DatabaseError, InterfaceError) as error:
        log.error("batch not settled", tasks=len(claim.tasks), error=type(error).__name__)
        return None
    workers.note_batch(worker_id, len(claim.tasks), settled.failed)
    return settled
