"""Tasks that were lost with worker after worker are tried with nothing beside them: what a loss then says is certain.

One process at a time does, for all spaces; its other threads wait, other processes go on. It begins with one task. As
long as that goes well it takes more: after a night of kills from outside, nearly all of them are harmless. Once it
would take more than a batch, all its threads take them as they take everything.
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
from queueops.worker.trial_size import TrialSize

# Looking for such tasks costs a statement; nobody minds that they wait a second longer.
_LOOK_SECONDS = 1.0

Execute = Callable[[Claim, int, Permit], Settled | None]

hands = ExclusiveClaims(leases.longest_seconds)
"""Those of this process."""
company = TrialSize(1)
"""How many of them this process tries together."""
_looking = threading.Lock()
_looked_at = float("-inf")


def is_time() -> bool:
    """Whether to look for such tasks now; one thread of the process is told so each second."""
    global _looked_at
    with _looking:
        if time.monotonic() - _looked_at < _LOOK_SECONDS:
            return False
        _looked_at = time.monotonic()
        return True


def is_trusting(most: int) -> bool:
    """Whether so much has gone well that they need no care; `most` is how many tasks a batch has."""
    return company.size() > most


def run(
    spaces: Iterable[Space],
    worker_id: int,
    execute: Execute,
    most: Callable[[Space], int],
    is_stopping: Callable[[], bool],
) -> int:
    """Tries what is due of these spaces, up to `most` together; answers how many tasks were tried."""
    tried = 0
    for space in spaces:
        if claims.is_trial_due(space) and (first := _claim(space, worker_id, 1)):
            # held from here on, so that no other process begins a trial
            with leases.in_execution.holding(first.claim.token), hands.only(is_stopping) as may_begin:
                if not may_begin:  # what is held goes back with all that a stopping process holds
                    return tried
                tried += _try(first, worker_id, execute, most(space), is_stopping)
    return tried


class _Held(NamedTuple):
    """A claim, and the leave with which it was made."""

    claim: Claim
    passage: Permit


def _try(
    held: _Held | None, worker_id: int, execute: Execute, most: int, is_stopping: Callable[[], bool]
) -> int:
    """Claim after claim, until none is left, they need no more care, or the provider is not to be asked."""
    tried = 0
    while held:
        tasks = len(held.claim.tasks)
        if tasks == 1:
            claims.mark_alone(held.claim)
        settled = execute(held.claim, worker_id, held.passage)
        tried += tasks
        if settled is None or settled.retried == tasks or is_stopping():
            break
        company.note(tasks)
        hands.renew()
        if is_trusting(most):
            break
        held = _claim(held.claim.space, worker_id, min(company.size(), most))
    return tried


def _claim(space: Space, worker_id: int, size: int) -> _Held | None:
    passage = gate.ask(space.provider)
    if passage.wait:
        return None
    size, claimant = 1 if passage.canary else size, worker_registry.claimant(worker_id)
    claim = claims.claim_on_trial(space, size, worker_id, claimant, with_low=passage.with_low)
    if not claim.tasks:
        gate.withdraw(passage)
        return None
    return _Held(claim, passage)
