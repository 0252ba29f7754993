"""A thread's end of a long answer; test_slow_clients.py has it over the network."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from config.serving.answers import BrokenOffError, ClientLeftError, RefusedError
from config.serving.reply import Reply
from config.serving.streams import Stream, Streams

type Message = dict[str, Any]


class Client:
    """Takes what it is sent, or nothing; leaves when it is told to."""

    def __init__(self, takes: bool = True) -> None:
        self.messages: list[Message] = []
        self.gone = threading.Event()
        self._takes = takes

    async def send(self, message: Message) -> None:
        if not self._takes:
            await asyncio.Event().wait()
        self.messages.append(message)

    async def receive(self) -> Message:
        while not self.gone.is_set():
            await asyncio.sleep(0.001)
        return {"type": "http.disconnect"}


def in_a_thread(
    client: Client, work: Callable[[Stream, Reply], None], streams: Streams, seconds: float = 5.0
) -> None:
    """Runs `work` with a stream to this client; raises what it raises."""

    async def serve() -> None:
        reply = Reply({}, client.send)
        stream = streams.open(asyncio.get_running_loop(), reply, client.receive, seconds)

        def thread() -> None:
            with stream:
                work(stream, reply)

        await asyncio.to_thread(thread)

    asyncio.run(serve())


def test_what_is_written_arrives_in_order_and_is_ended_once() -> None:
    client = Client()

    def work(stream: Stream, _: Reply) -> None:
        stream.start(200, [(b"a", b"b")])
        stream.write(b"one ")
        stream.end(b"two")

    in_a_thread(client, work, Streams(1))
    start, *pieces = client.messages
    assert (start["status"], start["headers"]) == (200, [(b"a", b"b")])
    assert [(piece["body"], piece["more_body"]) for piece in pieces] == [(b"one ", True), (b"two", False)]


def test_where_another_has_answered_nothing_is_sent() -> None:
    client = Client()

    def work(stream: Stream, reply: Reply) -> None:
        reply.take()
        stream.start(200, [])

    with pytest.raises(ClientLeftError):
        in_a_thread(client, work, Streams(1))
    assert client.messages == []


def test_a_client_that_takes_nothing_for_too_long_is_broken_off() -> None:
    with pytest.raises(BrokenOffError):
        in_a_thread(Client(takes=False), lambda stream, _: stream.start(200, []), Streams(1), seconds=0.02)


def test_a_client_that_left_ends_the_writing() -> None:
    client = Client()

    def work(stream: Stream, _: Reply) -> None:
        stream.start(200, [])
        client.gone.set()
        while True:
            stream.write(b"more")

    with pytest.raises(ClientLeftError):
        in_a_thread(client, work, Streams(1))


def test_there_are_only_so_many_and_each_makes_room_at_its_end() -> None:
    streams = Streams(1)

    def fails(stream: Stream, _: Reply) -> None:
        with pytest.raises(RefusedError) as refused:
            in_a_thread(Client(), lambda *_: None, streams)
        assert refused.value.status == 503
        raise LookupError

    for _ in range(2):
        with pytest.raises(LookupError):
            in_a_thread(Client(), fails, streams)
