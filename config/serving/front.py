"""The ASGI application that serves a WSGI application without letting a slow client hold a thread."""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import BuiltinMethodType
from typing import Any

import structlog

from config.serving import bodies
from config.serving.answers import Answer, BrokenOffError, ClientLeftError, RefusedError, in_plain_text
from config.serving.bodies import Receive
from config.serving.call import Application, Call
from config.serving.connections import Endings
from config.serving.environ import Scope, environ_of, origin_of, path_of
from config.serving.limits import Limits
from config.serving.pool import Pool
from config.serving.reply import PIECE, Reply, Send
from config.serving.streams import Streams
from config.serving.transfers import Transfer, Transfers

log = structlog.get_logger(__name__)

_FAILED = "something went wrong here; it has been logged"
_URGENT_WAITING = 1_000


class Front:
    """`taking` are the prefixes of paths that take request bodies. `urgent` paths have a thread of their own and
    answer in time whatever all others do, with the Answer given here if need be. `refuse` words a refusal for the
    client that asked for a path, from a page of an origin (empty: none)."""

    def __init__(
        self,
        application: Application,
        limits: Limits,
        taking: tuple[str, ...] = ("/",),
        urgent: Mapping[str, Answer] | None = None,
        refuse: Callable[[RefusedError, str, str], Answer] = in_plain_text,
    ) -> None:
        self._application = application
        self._limits = limits
        self._taking = taking
        self._urgent = urgent or {}
        self._refuse = refuse
        self._transfers = Transfers(limits.held_bytes)
        self._endings = Endings()
        self._streams = Streams(limits.streams)
        self.pool = Pool("web", limits.threads, limits.waiting)
        self._urgent_pool = Pool("urgent", 1, _URGENT_WAITING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not isinstance(send, BuiltinMethodType):
            raise RuntimeError("this application is served by granian, over HTTP")
        path = path_of(scope)
        reply = Reply(scope, send)
        transfer = self._transfers.begin(self._limits.body_seconds)
        try:
            answer = await self._answer(path, receive, reply, transfer)
            if answer is not None:
                await self._send(reply, answer)
        except RefusedError as error:
            transfer.release()
            await self._send(reply, self._refuse(error, path, origin_of(scope)))
            if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                await bodies.discard(receive)
        except BrokenOffError:
            self._endings.end(scope)
        except ClientLeftError:
            pass
        finally:
            transfer.release()

    async def _answer(self, path: str, receive: Receive, reply: Reply, transfer: Transfer) -> Answer | None:
        """The answer, None where it has been sent already."""
        length = bodies.announced(reply.scope)
        body = b""
        if length != 0:
            bodies.check(reply.scope, path, length, self._limits, self._taking)
            body = await bodies.read(receive, length, transfer, self._limits)
        call = self._call(environ_of(reply.scope, body), receive, reply)
        if path in self._urgent:
            return await self._run_urgently(call, path, receive, reply)
        return await self._run(self.pool, call, path, receive, reply)

    def _call(self, environ: dict[str, Any], receive: Receive, reply: Reply) -> Call:
        limits = self._limits
        loop = asyncio.get_running_loop()
        return Call(
            self._application,
            environ,
            limits.read_ahead_bytes,
            lambda: self._streams.open(loop, reply, receive, limits.write_seconds),
        )

    async def _run_urgently(self, call: Call, path: str, receive: Receive, reply: Reply) -> Answer | None:
        try:
            async with asyncio.timeout(self._limits.urgent_seconds):
                return await self._run(self._urgent_pool, call, path, receive, reply)
        except TimeoutError:
            return self._urgent[path] if reply.take() else None

    async def _run(self, pool: Pool, call: Call, path: str, receive: Receive, reply: Reply) -> Answer | None:
        def work() -> Answer | None:
            answer = call.run()
            if answer is None or not reply.take():
                return None
            if len(answer.body) > PIECE:
                return answer
            reply.send_short(answer)
            return None

        try:
            left_over: Answer | None = await pool.run(work, lambda: bodies.left(receive))
        except (RefusedError, ClientLeftError, BrokenOffError):
            raise
        except Exception as error:
            log.error("a request failed outside its view", path=path, exc_info=error)
            if call.is_streaming:
                raise BrokenOffError from error
            raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, _FAILED) from error
        return left_over

    async def _send(self, reply: Reply, answer: Answer) -> None:
        await reply.send_whole(answer, self._transfers, self._endings, self._limits.write_seconds)
