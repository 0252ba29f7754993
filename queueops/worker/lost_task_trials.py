"""Runs tasks that were lost with several workers in isolation, so that a further loss has a certain cause.

One process at a time does this, for all spaces; its other threads wait, other processes keep working. It starts with
one task and takes more as they succeed: after a night of kills from outside, nearly all of them are harmless. Once it
would take more than a batch, all its threads claim these tasks like any other.
"""

import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from embeddings.models import Space
from queueops.admission import gate
from queueops.admission.gate import Permit
from queueops.engine import claims
from queueops.engine.claims import Claim
from queueops.engine.results import Settled
from queueops.models import worker_registry
from queueops.worker import leases
from queueops.worker.exclusive_claims import ExclusiveClaims
from queueops.worker.lost_task_trial_size import TrialSize

# Looking for such tasks costs a statement, so it is done once per second.
_LOOK_SECONDS = 1.0

Execute = Callable[[Claim, int, Permit], Settled | None]

exclusive_claims = ExclusiveClaims(leases.longest_seconds)
"""The claims of this process."""
trial_size = TrialSize(1)
"""The number of such tasks that this process tries together."""
_looking = threading.Lock()
_looked_at = float("-inf")


def is_time() -> bool:
    """Whether to look for such tasks now; True for one thread of the process per second."""
    global _looked_at
    with _looking:
        if time.monotonic() - _looked_at < _LOOK_SECONDS:
            return False
        _looked_at = time.monotonic()
        return True


def is_trusting(most: int) -> bool:
    """Whether so many succeeded that they need no isolation; `most` is the number of tasks per batch."""
    return trial_size.size() > most


def run(
    spaces: Iterable[Space],
    worker_id: int,
    execute: Execute,
    most: Callable[[Space], int],
    is_stopping: Callable[[], bool],
) -> int:
    """Tries due tasks of these spaces, up to `most` together; returns how many were tried."""
    tried = 0
    for space in spaces:
        if claims.is_trial_due(space) and (first := _claim(space, worker_id, 1)):
            # held from here on, so that no other process begins a trial
            with (
                leases.in_execution.holding(first.claim.token),
                exclusive_claims.only(is_stopping) as may_begin,
            ):
                if not may_begin:  # the stopping process requeues all it holds
                    return tried
                tried += _try(first, worker_id, execute, most(space), is_stopping)
    return tried


class _Held(NamedTuple):
    """A claim and its permit."""

    claim: Claim
    permit: Permit


def _try(
    held: _Held | None, worker_id: int, execute: Execute, most: int, is_stopping: Callable[[], bool]
) -> int:
    """Claims again and again, until none is left, they need no isolation, or the provider may not be called."""
    tried = 0
    while held:
        tasks = len(held.claim.tasks)
        if tasks == 1:
            claims.mark_alone(held.claim)
        settled = execute(held.claim, worker_id, held.permit)
        tried += tasks
        if settled is None or settled.retried == tasks or is_stopping():
            break
        trial_size.note(tasks)
        exclusive_claims.renew()
        if is_trusting(most):
            break
        held = _claim(held.claim.space, worker_id, min(trial_size.size(), most))
    return tried


def _claim(space: Space, worker_id: int, size: int) -> _Held | None:
    permit = gate.admit(space.provider)
    if permit.wait:
        return None
    size, claimant = 1 if permit.canary else size, worker_registry.claimant(worker_id)
    claim = claims.claim_on_trial(space, size, worker_id, claimant, with_low=permit.with_low)
    if not claim.tasks:
        gate.release(permit)
        return None
    return _Held(claim, permit)
