"""What Dramatiq runs: one wake-up that says only that there may be work."""

import dramatiq

from queueops import doorbell
from queueops.drain import drain
from queueops.pulse import pulse

# Long enough to amortise a wake-up, short enough that a process told to stop is not kept waiting.
_SLICE_SECONDS = 20.0


@dramatiq.actor(queue_name=doorbell.QUEUE, actor_name=doorbell.ACTOR)
def embed_due(v: int = 1) -> None:
    """Works off what is due. `v` is the message's version; the rows, not the message, say what to do."""
    drained = drain(
        pulse.registered(),
        seconds=_SLICE_SECONDS,
        wake_another=doorbell.ring,
        is_stopping=lambda: pulse.is_stopping,
    )
    if drained.is_more:
        doorbell.ring()
