"""Limits the threads that take long articles for a slow provider, so that the others stay free for short ones."""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator

from django.conf import settings

from embeddings.indexing import provider_pace
from embeddings.text.tokens import byte_length
from queueops.engine import partial_vectors
from queueops.engine.claims import Claim, Room


class LongTurns:
    """As many threads of a process take long articles as keep a provider busy, and one never does; in a process with
    one thread, long and short articles alternate."""

    def __init__(self, threads: int) -> None:
        self._free = threading.BoundedSemaphore(max(min(provider_pace.LEAST_AT_ONCE, threads - 1), 1))
        self._short_is_next = False

    @contextlib.contextmanager
    def claimed(self, claim: Callable[[Room], Claim], long_bytes: int) -> Iterator[Claim]:
        """The result of `claim`, for the length of its execution; articles of more than `long_bytes` are long."""
        short = self._short_first(claim, long_bytes)
        if short:
            yield short
        elif self._free.acquire(blocking=False):
            yield from self._with_turn(claim, long_bytes)
        else:
            yield claim(Room(long_bytes, _most(long_bytes)))

    def _short_first(self, claim: Callable[[Room], Claim], long_bytes: int) -> Claim | None:
        """Due short articles, right after a long one has ended its turn."""
        if not self._short_is_next:
            return None
        self._short_is_next = False
        found = claim(Room(long_bytes, _most(long_bytes)))
        return found if found.tasks else None

    def _with_turn(self, claim: Callable[[Room], Claim], long_bytes: int) -> Iterator[Claim]:
        is_held = True
        try:
            found = claim(Room(None, _most(long_bytes)))
            if not any(byte_length(task.source.content) > long_bytes for task in found.tasks):
                self._free.release()
                is_held = False
            yield found
        finally:
            if is_held:
                self._short_is_next = True
                self._free.release()


def _most(long_bytes: int) -> int:
    """Bytes of text that a turn has time for."""
    return int(long_bytes * partial_vectors.TURN_SECONDS / provider_pace.LONG_SECONDS)


@functools.cache
def of_this_process() -> LongTurns:
    """The turns shared by the threads of this process."""
    return LongTurns(settings.EMBEDDING_WORKER_THREADS)
