"""A batch that meets a locked table: its vectors wait for a while, then its tasks go back uncharged.

With the table of tasks itself locked not even that can be written, and waiting is all there is to do.
"""

import time
from collections.abc import Callable

from django.db import OperationalError

from queueops import resting, settling
from queueops.claims import Claim
from queueops.locked_out import locked_out
from queueops.results import Settled

# Vectors that have been paid for are kept so long; leases are renewed for longer (leases.py).
SECONDS = 60.0
_PAUSE_SECONDS = 0.5


def settled(settle: Callable[[], Settled], claim: Claim, seconds: float = SECONDS) -> Settled:
    """What `settle` answers, tried again for so long while a table is locked."""
    ends = time.monotonic() + seconds
    while True:
        try:
            return settle()
        except OperationalError as error:
            if not locked_out.note(error):
                raise
        while locked_out.is_lasting() and time.monotonic() < ends and resting.rest(_PAUSE_SECONDS):
            pass
        if time.monotonic() >= ends or not resting.rest(0.0):
            return put_back(claim, waits=seconds > 0)


def put_back(claim: Claim, *, waits: bool = True) -> Settled:
    """Gives a claim's tasks back without charging an attempt; waits for the table of tasks unless told otherwise, or
    told to stop. Their leases end where even that fails."""
    while True:
        try:
            return settling.put_back(claim)
        except OperationalError as error:
            if not locked_out.note(error):
                raise
        if not waits or not resting.rest(_PAUSE_SECONDS):
            return settling.nothing_of(claim)
