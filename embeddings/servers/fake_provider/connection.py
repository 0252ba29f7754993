"""One client of the fake provider: its requests in turn, and the replies at the pace of their faults."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

from embeddings.servers.fake_provider.http import Reader, Unreadable
from embeddings.servers.fake_provider.replies import OPENAI, Reply, refusal
from embeddings.servers.fake_provider.service import Service


class Connection(asyncio.Protocol):
    """Reads a request, replies, reads the next."""

    _transport: asyncio.Transport

    def __init__(self, service: Service) -> None:
        self._service = service
        self._reader = Reader()
        self._reply: Reply | None = None
        self._outgoing: Iterator[bytes] = iter(())
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False
        self._counts = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """A client that left no longer counts as in flight."""
        if self._timer:
            self._timer.cancel()
        self._end_count()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        if self._reply is None:
            self._read_on()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._reply and not self._timer:
            self._send_on()

    def _read_on(self) -> None:
        try:
            request = self._reader.next()
        except Unreadable as error:
            self._answer(replace(refusal(OPENAI, error.status, "unreadable", str(error)), closes=True))
            return
        if request:
            self._counts = self._service.counts(request)
            if self._counts:
                self._service.stats.started()
            self._answer(self._service.reply(request))

    def _answer(self, reply: Reply) -> None:
        self._reply = reply
        if reply.delay:
            self._wait(reply.delay, self._begin)
        else:
            self._begin()

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, then)

    def _begin(self) -> None:
        assert self._reply is not None
        if self._counts:
            self._service.stats.status[str(self._reply.status)] += 1
        self._outgoing = self._reply.pieces()
        self._send_on()

    def _send_on(self) -> None:
        """Sends until the reply ends, the client reads too slowly, or the pace says to wait."""
        assert self._reply is not None
        self._timer = None
        while not self._paused:
            piece = next(self._outgoing, None)
            if piece is None:
                self._finish(self._reply)
                return
            self._transport.write(piece)
            if self._reply.pace:
                self._wait(self._reply.pace, self._send_on)
                return

    def _finish(self, reply: Reply) -> None:
        self._end_count()
        if reply.closes:
            self._transport.close()
            return
        self._reply = None
        self._read_on()

    def _end_count(self) -> None:
        if self._counts:
            self._counts = False
            self._service.stats.in_flight -= 1
