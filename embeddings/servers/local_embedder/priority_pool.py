"""Runs jobs on a few threads, urgent ones first, so that a search does not wait behind a backfill."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

_Entry = tuple[Future[Any], Callable[[], Any]]


class PriorityPool:
    """`threads` workers for bulk jobs and as many for urgent ones, so that an urgent job can always start at once.

    Bulk jobs give way between two of them: each running urgent job takes a place of theirs, so that no bulk job starts
    before it has ended. `begin_bulk` is called once in each bulk worker.
    """

    def __init__(self, threads: int, begin_bulk: Callable[[], object] = lambda: None) -> None:
        self._ready = threading.Condition()
        self._urgent: deque[_Entry] = deque()
        self._bulk: deque[_Entry] = deque()
        self._places = threads
        self._running = 0
        self._closed = False
        for _ in range(threads):
            threading.Thread(target=self._work, args=(self._next_bulk, begin_bulk), daemon=True).start()
            threading.Thread(target=self._work, args=(self._next_urgent,), daemon=True).start()

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

    def _work(
        self, next_entry: Callable[[], _Entry | None], begin: Callable[[], object] | None = None
    ) -> None:
        if begin:
            begin()
        while entry := self._take(next_entry):
            _run(*entry)
            del entry  # it holds texts, and the next job may be long in coming
            with self._ready:
                self._running -= 1
                self._ready.notify_all()

    def _take(self, next_entry: Callable[[], _Entry | None]) -> _Entry | None:
        with self._ready:
            while not self._closed:
                if entry := next_entry():
                    self._running += 1
                    return entry
                self._ready.wait()
        return None

    def _next_urgent(self) -> _Entry | None:
        return self._urgent.popleft() if self._urgent else None

    def _next_bulk(self) -> _Entry | None:
        may_start = self._bulk and not self._urgent and self._running < self._places
        return self._bulk.popleft() if may_start else None


def _run(future: Future[Any], job: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(job())
    except BaseException as error:  # the waiting request must get it, whatever it is
        future.set_exception(error)


def _cancel(future: Future[Any]) -> None:
    """Cancels and notifies: concurrent.futures.wait() sleeps on until a cancelled future is notified."""
    if future.cancel():
        future.set_running_or_notify_cancel()
