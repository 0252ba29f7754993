"""Coverage for pages that ask often: counted anew when that is cheap, held for a while when it is not."""

import threading
import time

from embeddings.models import Space
from embeddings.storage import coverage as exact
from embeddings.storage.coverage import Coverage

# A count that took t is held for 20 t: however large the corpus, at most a twentieth of the time goes into counting.
_HELD_FOR = 20
_CHEAP_SECONDS = 0.02
# Whoever counts may be kept waiting by a lock in the database, which must not keep others who look at health.
_WAIT_SECONDS = 0.5
_held: dict[int, tuple[float, Coverage]] = {}
_counting = threading.Lock()


def coverage(space: Space | None) -> Coverage:
    """How many articles there are and how many of them the space finds; without a space, none are found."""
    if space is None:
        return Coverage(0, 0)
    is_alone = _counting.acquire(timeout=_WAIT_SECONDS)  # one thread counts, the others take its answer
    try:
        until, held = _held.get(space.pk, (0.0, None))
        if held and time.monotonic() < until:
            return held
        return _count(space)
    finally:
        if is_alone:
            _counting.release()


def _count(space: Space) -> Coverage:
    began = time.monotonic()
    counted = exact.of(space)
    took = time.monotonic() - began
    if took > _CHEAP_SECONDS:
        _held[space.pk] = (time.monotonic() + _HELD_FOR * took, counted)
    return counted
