"""Bodies and replies in transit: how long each may pause, and how much memory all may use."""

import asyncio
from types import TracebackType
from typing import Self

from config.serving.answers import busy

_SECONDS_BETWEEN_LOOKS = 0.2


class Transfers:
    """Used from one event loop. One timer looks at all of them, since a timer for each request would cost more than the
    rest of its bookkeeping. Over `limit` bytes, the transfer that has paused longest is ended, so that clients that
    pause cannot displace those that move."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        """Bytes in memory for all transfers, finished ones that are not released yet included."""
        self._open: dict[Transfer, None] = {}  # the one that has paused longest first
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, seconds: float) -> "Transfer":
        """A transfer of the running task that may pause for `seconds`; a context manager."""
        return Transfer(self, seconds)

    def _moved(self, transfer: "Transfer") -> None:
        self._open.pop(transfer, None)
        self._open[transfer] = None
        if self._timer is None:
            self._timer = transfer.loop.call_later(_SECONDS_BETWEEN_LOOKS, self._look, transfer.loop)

    def _make_room(self, transfer: "Transfer") -> None:
        while self.held > self.limit:
            slowest = next(iter(self._open))
            if slowest is transfer:
                raise busy("too many large bodies are in memory here")
            self._end(slowest)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for transfer in [each for each in self._open if each.ends < now]:
            self._end(transfer)
        self._timer = loop.call_later(_SECONDS_BETWEEN_LOOKS, self._look, loop) if self._open else None

    def _end(self, transfer: "Transfer") -> None:
        del self._open[transfer]
        transfer.release()
        transfer.is_ended = True
        transfer.task.cancel()


class Transfer:
    """Leaves its block with TimeoutError when its client has paused for too long, or its room is needed."""

    def __init__(self, transfers: Transfers, seconds: float) -> None:
        self.loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.size = 0
        self.is_ended = False
        self.ends = 0.0
        """The loop's time at which it is ended, should the client do nothing before."""
        self._transfers = transfers
        self._seconds = seconds

    def __enter__(self) -> Self:
        self.moved()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transfers._open.pop(self, None)
        if self.is_ended:
            self.task.uncancel()
            if kind is asyncio.CancelledError:
                raise TimeoutError from error

    def moved(self, latest: float | None = None) -> None:
        """The client has done its part and may pause again, though not beyond `latest` (a time of the loop)."""
        ends = self.loop.time() + self._seconds
        self.ends = ends if latest is None else min(ends, latest)
        self._transfers._moved(self)

    def add(self, size: int) -> None:
        """Counts received bytes. Raises RefusedError if there is no memory for them."""
        self.size += size
        self._transfers.held += size
        self._transfers._moved(self)
        self._transfers._make_room(self)

    def release(self) -> None:
        """Its bytes have left memory."""
        self._transfers.held -= self.size
        self.size = 0
