"""A worker's loop: claim and execute until nothing is due, the time slice ends, or the process must stop."""

import functools
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from embeddings.indexing import provider_pace
from embeddings.models import Space
from embeddings.providers.registry import provider_of
from queueops.admission import gate, recipe_guard
from queueops.admission.gate import Permit
from queueops.base import database_refusals, installed
from queueops.engine import claims, execution, modes, settle_retry, storage_probe
from queueops.engine.claims import Claim
from queueops.engine.results import Settled
from queueops.engine.table_lock_pause import LOOK_AGAIN_SECONDS, locked_out
from queueops.models import Mode, worker_registry
from queueops.worker import bulkhead, leases, long_articles, lost_task_trials
from queueops.worker.lost_task_trial_size import TrialSize

# A slice sees a new or retired space after this delay: reading spaces per batch costs more than the claim.
_SPACES_SECONDS = 0.5

log = structlog.get_logger(__name__)

trial_size_of_lost = TrialSize(claims.LOST_TOGETHER)


@dataclass(frozen=True)
class Drained:
    """`is_more`: the slice ended before the work did. `wait`: seconds until a provider that cannot be called now may be
    tried again."""

    tasks: int
    is_more: bool
    wait: float | None = None


@dataclass(frozen=True)
class _Turn:
    """One space's turn: tasks claimed, whether more may be due, and seconds to wait for its provider, 0.0 for none."""

    tasks: int = 0
    is_more: bool = False
    wait: float = 0.0


def drain(
    worker_id: int,
    *,
    seconds: float,
    wake_another: Callable[[], None] = lambda: None,
    wake_in: Callable[[float], None] = lambda seconds: None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Drained:
    """Processes due tasks, one batch per space in turn, as long as claims are full.

    A full claim means that more may be due, so others are woken; after one that is not full, new tasks send their own
    wake-up, and waiting for it makes one batch of many saves. Failed tasks to retry get one wake-up when all of their
    batch are due: `wake_in` that many seconds.
    """
    ends, tasks, wake = time.monotonic() + seconds, 0, functools.cache(wake_another)  # once per slice
    spaces, known_until = list[Space](), 0.0
    while (now := time.monotonic()) < ends and installed.is_there():
        if locked_out.is_lasting():
            return Drained(tasks, False, LOOK_AGAIN_SECONDS)
        if modes.current() is Mode.DISABLED:
            return Drained(tasks, False)
        if now >= known_until:
            receiving = Space.objects.receiving()
            spaces = [space for space in receiving if recipe_guard.may_write(space)]
            known_until = now + _SPACES_SECONDS
        turns: list[_Turn] = []
        for space in spaces:
            if is_stopping():
                return Drained(tasks, False)
            with lost_task_trials.exclusive_claims.beside_others(is_stopping) as may_begin:
                turns.append(_turn(space, worker_id, wake, wake_in) if may_begin else _Turn())
            tasks += turns[-1].tasks
        tried = 0
        if lost_task_trials.is_time():
            tried = lost_task_trials.run(spaces, worker_id, _execute, batch_size, is_stopping)
        tasks += tried
        if not tried and not any(turn.is_more for turn in turns):
            return Drained(tasks, False, min((turn.wait for turn in turns if turn.wait), default=None))
    return Drained(tasks, True)


def _turn(space: Space, worker_id: int, wake: Callable[[], None], wake_in: Callable[[float], None]) -> _Turn:
    if wait := storage_probe.wait(space):
        return _Turn(wait=wait)
    is_probed = storage_probe.brake.is_on
    permit = gate.admit(space.provider)
    if permit.wait:
        return _Turn(wait=permit.wait)
    most = batch_size(space)
    size, with_trial = 1 if permit.canary else most, lost_task_trials.is_trusting(most)
    with bulkhead.of_this_process().enter() as may_backfill:
        with_low = permit.with_low and (may_backfill or permit.canary is not None)
        claim_due = functools.partial(
            claims.claim_due,
            space,
            size,
            worker_id,
            worker_registry.claimant(worker_id),
            with_low=with_low,
            lost_together=most if with_trial else trial_size_of_lost.size(),
            with_trial=with_trial,
        )
        with _in_turn(space, permit, claim_due) as claim:
            if not claim.tasks:
                gate.release(permit)
                if is_probed:  # the database accepted the probe, and there is nothing else to store
                    storage_probe.accepted()
                return _Turn()
            if claim.is_full and not permit.canary:  # the canary's result comes first
                wake()
            settled = _execute(claim, worker_id, permit)
    if not settled.retried:
        trial_size = lost_task_trials.trial_size if with_trial else trial_size_of_lost
        trial_size.note(sum(task.was_lost for task in claim.tasks))
    if settled.retry_in:
        wake_in(settled.retry_in)
    return _Turn(len(claim.tasks), is_more=claim.is_full or bool(settled.retried))


def _in_turn(space: Space, permit: Permit, claim_due: Callable[..., Claim]) -> AbstractContextManager[Claim]:
    """Claims due tasks, for the length of their execution; with a slow provider no more than a turn has time for."""
    long_bytes = provider_pace.of(space).speed.long_bytes
    if long_bytes is None or permit.canary:
        return nullcontext(claim_due())
    return long_articles.of_this_process().claimed(lambda room: claim_due(room=room), long_bytes)


def batch_size(space: Space) -> int:
    """Tasks per claim: the setting, or what suits the provider."""
    return settings.EMBEDDING_BATCH_SIZE or provider_of(space).limits.batch


def _execute(claim: Claim, worker_id: int, permit: Permit) -> Settled:
    """Executes and settles a claim; if the database fails before that, its tasks are requeued uncharged."""
    try:
        with leases.in_execution.holding(claim.token):
            settled = execution.execute(claim, permit=permit)
    except (DatabaseError, InterfaceError) as error:
        return settle_retry.give_back(claim, storage_probe.noted(error))
    _note(worker_id, len(claim.tasks), settled.failed)
    return settled


def _note(worker_id: int, tasks: int, failed: int) -> None:
    """Counts a batch that is settled, whatever the worker's row accepts."""
    try:
        worker_registry.note_batch(worker_id, tasks, failed)
    except (DatabaseError, InterfaceError) as error:
        log.info("batch not counted", reason=str(database_refusals.of(error)))
