"""Cached coverage for frequent readers: counted again if that is cheap, kept for a while if not."""

import threading
import time

from embeddings import recipes
from embeddings.models import Space
from embeddings.storage import coverage as exact
from embeddings.storage.coverage import Coverage

# A count that took t is kept for 20 t: counting takes at most a twentieth of the time, however large the corpus.
_HELD_FOR = 20
_CHEAP_SECONDS = 0.02
# The counting thread may wait for a database lock; threads that read health must not.
_WAIT_SECONDS = 0.5
_held: dict[int, tuple[float, Coverage]] = {}
_counting = threading.Lock()


def coverage(space: Space | None) -> Coverage:
    """How many articles there are, and how many of them are current in the space; none without a space. For a process
    of another recipe none are, since it cannot search them."""
    if space is None:
        return Coverage(0, 0)
    is_alone = _counting.acquire(timeout=_WAIT_SECONDS)  # one thread counts, the others use its result
    try:
        until, held = _held.get(space.pk, (0.0, None))
        found = held if held and time.monotonic() < until else _count(space)
        return found if recipes.fits(space) else Coverage(found.articles, 0)
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
