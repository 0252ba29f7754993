"""Keeps a worker process from giving all its threads to a backfill: a fresh edit finds one free."""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings


class Bulkhead:
    """Of a process's threads, one takes no task of the lowest rank; a process of one thread takes all there is."""

    def __init__(self, threads: int) -> None:
        self._for_backfill = threading.BoundedSemaphore(max(threads - 1, 1))

    @contextmanager
    def enter(self) -> Iterator[bool]:
        """For the length of a claim and its execution; yields whether the lowest rank may be claimed too."""
        may_backfill = self._for_backfill.acquire(blocking=False)
        try:
            yield may_backfill
        finally:
            if may_backfill:
                self._for_backfill.release()


@functools.cache
def of_this_process() -> Bulkhead:
    """Those that its threads share."""
    return Bulkhead(settings.EMBEDDING_WORKER_THREADS)
