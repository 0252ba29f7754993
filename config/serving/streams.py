"""Answers that are too long for memory: a thread makes them while the event loop sends them, at the client's pace."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Self

from config.serving.answers import BrokenOffError, ClientLeftError, Headers, busy
from config.serving.bodies import Receive, left
from config.serving.reply import Reply


class Streams:
    """Counts the streams of a process."""

    def __init__(self, limit: int) -> None:
        self._free = threading.Semaphore(limit)

    def open(
        self, loop: asyncio.AbstractEventLoop, reply: Reply, receive: Receive, seconds: float
    ) -> "Stream":
        """A stream whose every write may take `seconds`. Raises RefusedError when there are too many already."""
        if not self._free.acquire(blocking=False):
            raise busy("too many long replies are in progress")
        return Stream(loop, reply, receive, seconds, self._free.release)


class Stream:
    """The thread's end of it; a context manager. Each write waits until the client has taken most of what was written
    before. It raises ClientLeftError when the client has closed the connection, and BrokenOffError when it takes
    nothing for too long."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        reply: Reply,
        receive: Receive,
        seconds: float,
        release: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._reply = reply
        self._receive = receive
        self._seconds = seconds
        self._release = release
        self._leaving: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._release()
        self._loop.call_soon_threadsafe(self._stop_watching)

    def start(self, status: int, headers: Headers) -> None:
        if not self._reply.take():
            raise ClientLeftError
        self._wait({"type": "http.response.start", "status": status, "headers": headers})

    def write(self, data: bytes) -> None:
        self._wait({"type": "http.response.body", "body": data, "more_body": True})

    def end(self, data: bytes) -> None:
        """Writes the last piece. A stream that is not ended reaches the client as broken off."""
        self._wait({"type": "http.response.body", "body": data, "more_body": False})

    def _wait(self, message: dict[str, Any]) -> None:
        asyncio.run_coroutine_threadsafe(self._pass_on(message), self._loop).result()

    async def _pass_on(self, message: dict[str, Any]) -> None:
        if self._leaving is None:
            self._leaving = self._loop.create_task(left(self._receive))
        if self._leaving.done():
            raise ClientLeftError
        try:
            async with asyncio.timeout(self._seconds):
                await self._reply.send(message)
        except TimeoutError:
            raise BrokenOffError from None

    def _stop_watching(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
