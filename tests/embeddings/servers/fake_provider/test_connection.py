"""A client's requests in turn, on a connection that never leaves the process."""

import asyncio
import json
from typing import Any

import pytest

from embeddings.servers.fake_provider.connection import Connection
from embeddings.servers.fake_provider.service import Service
from embeddings.servers.fake_provider.settings import Settings


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True


def post(texts: list[str]) -> bytes:
    body = json.dumps({"input": texts}).encode()
    return b"POST /v1/embeddings HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def connected(**settings: Any) -> tuple[Connection, Wire, Service]:
    service, wire = Service(Settings(dimensions=4, **settings)), Wire()
    made = Connection(service)
    made.connection_made(wire)
    return made, wire, service


def test_requests_that_come_together_are_answered_in_turn() -> None:
    made, wire, service = connected()
    made.data_received(post(["a"]) + post(["b", "c"]) + post(["d"])[:-1])
    assert wire.written.count(b"HTTP/1.1 200") == 2
    made.data_received(post(["d"])[-1:])
    assert wire.written.count(b"HTTP/1.1 200") == 3
    assert (service.stats.requests, service.stats.in_flight, service.stats.status) == (3, 0, {"200": 3})


def test_an_invalid_request_gets_a_reply_and_the_connection_is_closed() -> None:
    made, wire, service = connected()
    made.data_received(b"nonsense\r\n\r\n")
    assert wire.written.startswith(b"HTTP/1.1 400")
    assert wire.closed
    assert service.stats.requests == 0


def test_a_client_that_reads_slowly_is_sent_the_rest_later() -> None:
    made, wire, _ = connected(fail_next=["huge"], huge_mb=3)
    made.pause_writing()
    made.data_received(post(["a"]))
    assert wire.written == b""
    made.resume_writing()
    assert len(wire.written) > 3 * 1024 * 1024


@pytest.mark.parametrize(
    "settings", [{"latency_ms": 60_000}, {"fail_next": ["hang"]}, {"fail_next": ["drip"]}]
)
def test_a_client_that_left_is_out_of_flight_whatever_it_was_to_get(settings: dict[str, Any]) -> None:
    async def work() -> None:
        made, _, service = connected(**settings)
        made.data_received(post(["a"]))
        assert service.stats.in_flight == 1
        made.connection_lost(None)
        assert service.stats.in_flight == 0

    asyncio.run(work())


def test_a_dripping_answer_arrives_whole() -> None:
    async def work() -> bytes:
        made, wire, _ = connected(fail_next=["drip"], hang_s=0.05)
        made.data_received(post(["a"]))
        before = len(wire.written)
        while made._reply:
            await asyncio.sleep(0.001)
        assert before < len(wire.written)
        return wire.written

    assert json.loads(asyncio.run(work()).partition(b"\r\n\r\n")[2])["data"]


def test_a_cut_answer_ends_the_connection() -> None:
    made, wire, _ = connected(fail_next=["cut"])
    made.data_received(post(["a"]))
    assert wire.closed
