"""Bulkhead (M. Nygard, "Release It!"): a backfill never takes all threads of a worker process, so a fresh edit finds
one free."""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings


class Bulkhead:
    """One thread of a process takes no low-priority task; a process with a single thread takes every priority."""

    def __init__(self, threads: int) -> None:
        self._for_backfill = threading.BoundedSemaphore(max(threads - 1, 1))

    @contextmanager
    def enter(self) -> Iterator[bool]:
        """For the length of a claim and its execution; yields whether low priority may be claimed as well."""
        may_backfill = self._for_backfill.acquire(blocking=False)
        try:
            yield may_backfill
        finally:
            if may_backfill:
                self._for_backfill.release()


@functools.cache
def of_this_process() -> Bulkhead:
    """The bulkhead shared by the threads of this process."""
    return Bulkhead(settings.EMBEDDING_WORKER_THREADS)
