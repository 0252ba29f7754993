"""Runs jobs on a few threads, urgent ones first, so that a search does not wait behind a backfill."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

_Entry = tuple[Future[Any], Callable[[], Any]]


class PriorityPool:
    """`threads` workers for every job, and one more for urgent jobs, so that one can always start at once."""

    def __init__(self, threads: int) -> None:
        self._ready = threading.Condition()
        self._urgent: deque[_Entry] = deque()
        self._bulk: deque[_Entry] = deque()
        self._closed = False
        for number in range(threads + 1):
            threading.Thread(target=self._work, args=(number == threads,), daemon=True).start()

    def submit[Result](self, job: Callable[[], Result], *, urgent: bool) -> Future[Result]:
        """Queues `job`; the future is cancelled, never left open, if the pool is or gets closed."""
        future: Future[Result] = Future()
        with self._ready:
            if self._closed:
                _cancel(future)
            else:
                (self._urgent if urgent else self._bulk).append((future, job))
                self._ready.notify_all()
        return future

    def close(self) -> None:
        """Cancels jobs that have not started; running ones end by themselves."""
        with self._ready:
            self._closed = True
            for waiting in (self._urgent, self._bulk):
                while waiting:
                    _cancel(waiting.popleft()[0])
            self._ready.notify_all()

    def _work(self, only_urgent: bool) -> None:
        while entry := self._take(only_urgent):
            future, job = entry
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job())
            except BaseException as error:  # the waiting request must get it, whatever it is
                future.set_exception(error)

    def _take(self, only_urgent: bool) -> _Entry | None:
        with self._ready:
            while not self._closed:
                if self._urgent:
                    return self._urgent.popleft()
                if self._bulk and not only_urgent:
                    return self._bulk.popleft()
                self._ready.wait()
        return None


def _cancel(future: Future[Any]) -> None:
    """Cancels and notifies: concurrent.futures.wait() sleeps on until a cancelled future is notified."""
    if future.cancel():
        future.set_running_or_notify_cancel()
