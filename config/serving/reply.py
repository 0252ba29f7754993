"""The reply to one request: sent once, by the first thread that has it."""

from collections.abc import Awaitable, Callable
from typing import Any

from config.serving.answers import Answer
from config.serving.connections import Endings
from config.serving.environ import Scope
from config.serving.limits import KIB
from config.serving.transfers import Transfers

type Send = Callable[[dict[str, Any]], Awaitable[None]]

PIECE = 64 * KIB


class Reply:
    """`send` is granian's. It takes a whole answer from any thread and without being awaited; only further pieces of a
    long one wait for the client, and for these the event loop is needed."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.send = send
        self._to_take = [True]

    def take(self) -> bool:
        """Whether the caller is the one that replies."""
        try:
            return self._to_take.pop()  # atomic
        except IndexError:
            return False

    def send_short(self, answer: Answer) -> None:
        """Sends a reply of up to one piece, in any thread."""
        self.send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        self.send({"type": "http.response.body", "body": answer.body})

    async def send_whole(
        self, answer: Answer, transfers: Transfers, endings: Endings, seconds: float
    ) -> None:
        """Sends any reply, piece by piece if it is long: a client that pauses for `seconds` loses the connection."""
        if len(answer.body) <= PIECE:
            self.send_short(answer)
            return
        transfer = transfers.begin(seconds)
        try:
            with transfer:
                transfer.add(len(answer.body))
                await self._send_pieces(answer, transfer.moved)
        except TimeoutError:
            endings.end(self.scope)
        finally:
            transfer.release()

    async def _send_pieces(self, answer: Answer, moved: Callable[[], None]) -> None:
        body = answer.body
        await self.send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        for start in range(0, len(body), PIECE):
            piece = body[start : start + PIECE]
            more = start + PIECE < len(body)
            await self.send({"type": "http.response.body", "body": piece, "more_body": more})
            moved()
