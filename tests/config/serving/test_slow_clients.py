"""Clients that send or read slowly, or not at all, cost the others nothing."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from config.serving import connections
from tests.config.serving import sample
from tests.config.serving.talking import SMALL_BUFFER, Talk, ask, ask_json, request
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
NO_LENGTH = b"Transfer-Encoding: chunked\r\n"


@contextlib.contextmanager
def many(count: int, port: int, sent: bytes, buffer: int | None = None) -> Iterator[list[Talk]]:
    with contextlib.ExitStack() as closing:
        yield [closing.enter_context(Talk(port, sent, buffer=buffer)) for _ in range(count)]


def waits(port: int) -> int:
    """How many requests have begun to wait in the application."""
    return int(ask_json(port, "/counted").get("/wait", 0))


def busy(port: int) -> int:
    """How many requests run or wait for a thread."""
    return int(ask_json(port, "/counted")["busy"])


def test_hundreds_of_slow_clients_leave_the_rest_alone(port: int) -> None:
    with (
        many(200, port, request("/takes/", "POST", length=1000, body=b"x")) as bodies,
        many(100, port, b"GET / HTTP/1.1\r\nHost: x\r\n") as headers,
        many(100, port, b""),
        many(20, port, request("/stream?size=102400000"), SMALL_BUFFER),
    ):
        for _ in range(10):
            started = time.monotonic()
            ask_json(port, "/counted")
            ask_json(port, "/")
            assert time.monotonic() - started < 1
        assert bodies[-1].status() == 408
        for talk in (bodies[0], bodies[-1], headers[0]):
            assert talk.seconds_to_end() < 3


@pytest.mark.parametrize("head", [b"", NO_LENGTH])
def test_a_body_that_pauses_ends_with_408(port: int, head: bytes) -> None:
    part = b"1\r\nx\r\n" if head else b"x"
    with Talk(port, request("/takes/", "POST", head, part, 0 if head else 1000)) as talk:
        status, headers, body = talk.answer()
        assert (status, headers["connection"]) == (408, "close")
        assert b"too slowly" in body
        assert talk.rest() == b""


def test_a_body_that_dribbles_ends_too(port: int) -> None:
    """Each byte comes in time, the whole does not."""
    with Talk(port, request("/takes/", "POST", body=b"x", length=1000)) as talk:
        talk.socket.setblocking(False)
        answer: list[bytes] = []

        def refused() -> bool:
            with contextlib.suppress(OSError):
                talk.socket.send(b"x")
            with contextlib.suppress(BlockingIOError):
                answer.append(talk.socket.recv(4_096))
            return bool(answer)

        wait_until(refused, 5)
        assert answer[0].startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    ("path", "method"), [("/", "POST"), ("/takes/", "GET"), ("/takes/", "HEAD"), ("/takes/", "PROPFIND")]
)
@pytest.mark.parametrize("head", [b"", NO_LENGTH])
def test_a_body_that_nobody_reads_is_refused_at_once(port: int, path: str, method: str, head: bytes) -> None:
    with Talk(port, request(path, method, head, length=0 if head else 1000)) as talk:
        assert talk.socket.recv(12) == b"HTTP/1.1 413"
        talk.rest()


def test_a_body_over_the_bound_is_refused_before_it_is_sent(port: int) -> None:
    with Talk(port, request("/takes/", "POST", length=120 * MIB)) as talk:
        assert talk.status() == 413


def test_a_client_that_sends_too_much_reads_why(port: int) -> None:
    with Talk(port, request("/takes/", "POST", length=8 * MIB, body=b"x" * 8 * MIB)) as talk:
        assert talk.status() == 413


def test_chunks_over_the_bound_are_refused(port: int) -> None:
    chunk = b"%x\r\n%s\r\n" % (MIB, b"x" * MIB)
    with Talk(port, request("/takes/", "POST", NO_LENGTH, chunk * 3, 0)) as talk:
        assert talk.status() == 413


def test_urgent_paths_answer_while_every_thread_is_busy(port: int) -> None:
    before = waits(port)
    with many(4, port, request("/wait")):
        wait_until(lambda: waits(port) == before + 4)
        started = time.monotonic()
        ask_json(port, "/counted")
        assert time.monotonic() - started < 1
        ask_json(port, "/release")


def test_an_urgent_path_that_hangs_gets_its_fallback(port: int) -> None:
    for _ in range(2):  # the second finds the thread taken
        started = time.monotonic()
        assert ask(port, "/stuck")[::2] == (503, b"late")
        assert time.monotonic() - started < 2
    assert ask(port, "/release")[0] == 503
    # nothing can be released while the only urgent thread hangs: its wait ends by a request that has its own
    wait_until(lambda: ask(port, "/free")[0] == 200 and ask(port, "/counted")[0] == 200)


def test_requests_wait_in_a_bounded_queue_and_leave_it_with_their_client(port: int) -> None:
    before = waits(port)
    with many(4, port, request("/wait")) as running:
        wait_until(lambda: waits(port) == before + 4)
        with many(sample.LIMITS.waiting, port, request("/wait")):
            wait_until(lambda: busy(port) == 4 + sample.LIMITS.waiting)
            status, headers, _ = ask(port, "/wait-not")
            assert (status, headers["retry-after"]) == (503, "2")
        wait_until(lambda: busy(port) == 4)  # those who left have lost their places
        with Talk(port, request("/takes/late")) as late:
            ask_json(port, "/release")
            assert late.status() == 200
        assert {talk.status() for talk in running} == {200}
    assert waits(port) == before + 4


def test_streams_that_nobody_reads_are_few_and_end(port: int) -> None:
    with many(2, port, request("/stream?size=102400000"), SMALL_BUFFER) as unread:
        assert [talk.socket.recv(12) for talk in unread] == [b"HTTP/1.1 200"] * 2
        assert ask(port, "/stream?size=102400000")[0] == 503
        assert len(ask(port, "/large?size=1000")[2]) == 1000
        closed = ask_json(port, "/counted").get("closed in its thread", 0)
        wait_until(lambda: ask_json(port, "/counted")["closed in its thread"] == closed + 2, 5)
        for talk in unread:
            assert not talk.rest().endswith(b"0\r\n\r\n")
    with Talk(port, request("/stream?size=102400000")) as talk:
        assert talk.socket.recv(12) == b"HTTP/1.1 200"


def test_a_large_answer_that_nobody_reads_ends(port: int) -> None:
    with Talk(port, request("/large?size=6000000"), buffer=SMALL_BUFFER) as talk:
        assert talk.socket.recv(12) == b"HTTP/1.1 200"
        wait_until(lambda: not _is_connected(talk.socket), 5)


def test_an_answer_larger_than_the_memory_for_all_is_not_sent(port: int) -> None:
    assert ask(port, "/large?size=7000000")[0] == 503


def _is_connected(client: socket.socket) -> bool:
    """Whether the other end still holds it (tcp_info's first byte is the state, 1: established)."""
    return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\x01"


def test_what_a_listening_socket_accepts_is_ended_by_the_kernel_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connections.end_unread(7)
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7_000
