"""A fixed number of threads that run the requests, with a bounded queue before them."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from queue import SimpleQueue
from typing import Any

from config.serving.answers import ClientLeftError, busy

type Work = Callable[[], Any]
type Left = Callable[[], Coroutine[Any, Any, None]]

_SECONDS_BETWEEN_LOOKS = 0.1


class _Job:
    """Work with a pending result. The first taker has it: a thread to run it, or the loop to drop it."""

    def __init__(self, work: Work, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.ended: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: Exception | None = None
        self._work = [work]

    def take(self) -> Work | None:
        try:
            return self._work.pop()  # atomic
        except IndexError:
            return None

    def end(self) -> None:
        """Hands the outcome to the coroutine that waits, if it still does."""
        if self.ended.done():
            return
        if self.error is None:
            self.ended.set_result(self.result)
        else:
            self.ended.set_exception(self.error)


class Pool:
    """`run` is called in one event loop; the threads are started by the first call.

    A job without result has sent its response itself, so that nothing waits for its coroutine: it is ended at
    the next opportunity. To wake the loop for each would cost a request more than its way through this package.
    """

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self.threads = threads
        self.waiting = waiting
        self.busy = 0
        """Jobs that run or wait."""
        self._counting = threading.Lock()
        self._name = name
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._over: deque[_Job] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_started = False

    async def run(self, work: Work, left: Left) -> Any:
        """The result of `work()`, or its error, from one of the threads. Raises RefusedError if too many wait, and
        ClientLeftError, without having run it, when `left()` returns while it waits."""
        if self.busy >= self.threads + self.waiting:
            raise busy("too many requests wait here")
        job = _Job(work, asyncio.get_running_loop())
        self._begin(job)
        try:
            if self.busy > self.threads:
                await self._wait_in_line(job, left)
            return await job.ended
        except asyncio.CancelledError:
            self._withdraw(job)
            raise

    def _begin(self, job: _Job) -> None:
        if not self._is_started:
            self._start()
        self._end_those_over()
        if self._timer is None:
            self._timer = job.loop.call_later(_SECONDS_BETWEEN_LOOKS, self._look, job.loop)
        with self._counting:
            self.busy += 1
        self._jobs.put(job)

    async def _wait_in_line(self, job: _Job, left: Left) -> None:
        leaving = job.loop.create_task(left())
        try:
            await asyncio.wait({job.ended, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
        if not job.ended.done() and self._withdraw(job):
            raise ClientLeftError

    def _withdraw(self, job: _Job) -> bool:
        """Whether no thread had begun it; then none will."""
        if job.take() is None:
            return False
        self._count_down()
        return True

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._end_those_over()
        self._timer = loop.call_later(_SECONDS_BETWEEN_LOOKS, self._look, loop) if self.busy else None

    def _end_those_over(self) -> None:
        while self._over:
            self._over.popleft().end()

    def _start(self) -> None:
        self._is_started = True
        for number in range(self.threads):
            # A daemon: a request that hangs must not keep the process from its end.
            threading.Thread(target=self._serve, name=f"{self._name}-{number + 1}", daemon=True).start()

    def _serve(self) -> None:
        while True:
            job = self._jobs.get()
            if work := job.take():
                self._run(job, work)
            del job, work  # they hold a body, and the next job may be long in coming

    def _run(self, job: _Job, work: Work) -> None:
        try:
            job.result = work()
        except BaseException as error:  # nothing may take a thread away, or stay unanswered
            if not isinstance(error, Exception) or isinstance(error, StopIteration):  # which no future takes
                error = RuntimeError(f"{type(error).__name__}: {error}")
            job.error = error
        if job.result is None and job.error is None:
            self._over.append(job)
            self._count_down()  # after the append: the timer runs while there is something to count
        else:
            self._count_down()
            if not job.loop.is_closed():
                job.loop.call_soon_threadsafe(job.end)

    def _count_down(self) -> None:
        with self._counting:
            self.busy -= 1
