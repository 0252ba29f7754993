"""The way back to a client: once, and in pieces where the answer is long."""

import asyncio
import threading
from collections.abc import Awaitable
from typing import Any

import pytest

from config.serving.answers import Answer
from config.serving.connections import Endings
from config.serving.reply import PIECE, Reply
from config.serving.transfers import Transfers

type Message = dict[str, Any]


class Client:
    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> Awaitable[None]:
        self.messages.append(message)
        return _Done()


class _Done:
    """What need not be awaited."""

    def __await__(self) -> Any:
        return iter(())


def test_only_one_of_many_threads_may_answer() -> None:
    reply = Reply({}, Client().send)
    taken: list[bool] = []
    threads = [threading.Thread(target=lambda: taken.append(reply.take())) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(taken) == [False] * 7 + [True]
    assert not reply.take()


def test_a_short_answer_needs_no_event_loop() -> None:
    client = Client()
    Reply({}, client.send).send_short(Answer(404, [(b"a", b"b")], b"gone"))
    start, body = client.messages
    assert (start["status"], start["headers"]) == (404, [(b"a", b"b")])
    assert body["body"] == b"gone"
    assert not body.get("more_body")


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE - 1])
def test_an_answer_of_any_size_arrives_whole_in_pieces_and_nothing_stays_held(size: int) -> None:
    client, transfers = Client(), Transfers(10 * PIECE)
    data = bytes(range(256)) * (size // 256 + 1)

    async def work() -> None:
        await Reply({}, client.send).send_whole(Answer(200, [], data[:size]), transfers, Endings(), 5.0)

    asyncio.run(work())
    pieces = [message["body"] for message in client.messages[1:]]
    assert b"".join(pieces) == data[:size]
    assert all(len(piece) <= PIECE for piece in pieces)
    assert [message.get("more_body", False) for message in client.messages[1:]] == [True] * (
        len(pieces) - 1
    ) + [False]


def test_a_client_that_takes_nothing_is_ended() -> None:
    class Noted(Endings):
        ended: list[object] = []

        def end(self, scope: Any) -> None:
            self.ended.append(scope)

    async def never(message: Message) -> None:
        await asyncio.Event().wait()

    async def work() -> None:
        await Reply({"a": 1}, never).send_whole(
            Answer(200, [], b"x" * (PIECE + 1)), Transfers(10 * PIECE), Noted(), 0.02
        )

    asyncio.run(work())
    assert Noted.ended == [{"a": 1}]
