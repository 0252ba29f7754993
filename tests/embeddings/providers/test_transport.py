"""However a provider spins out its answer, whoever asked gets away in time, and with what came in plain bytes."""

import gzip
import json
import re
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from embeddings.providers.endpoint import Endpoint
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.providers.transport import client, post
from tests.waiting import wait_until

PACE, LASTS = 0.05, 10.0
_LENGTH = re.compile(rb"(?is)content-length: (\d+).*?\r\n\r\n")
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Gives each connection to `answer`, in a thread of its own; `drip` and `sip` go on for `LASTS` seconds."""

    def __init__(self, answer: Callable[["Server", socket.socket], None]) -> None:
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._is_over = threading.Event()
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1/embeddings"
        self.heard: list[bytes] = []
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._answer(self, connection)
            except OSError:  # the client has left
                return

    def hear(self, connection: socket.socket) -> bool:
        """Takes in a request, whose head and body come one after the other; whether there was one."""
        heard = b""
        while not (parts := _LENGTH.search(heard)) or len(heard) < parts.end() + int(parts[1]):
            if not (piece := connection.recv(65_536)):
                return False
            heard += piece
        self.heard.append(heard)
        return True

    def drip(self, connection: socket.socket, piece: bytes) -> None:
        for _ in self._while_it_lasts():
            connection.sendall(piece)

    def sip(self, connection: socket.socket) -> None:
        for _ in self._while_it_lasts():
            connection.recv(65_536)

    def _while_it_lasts(self) -> Iterator[None]:
        ends = time.monotonic() + LASTS
        while time.monotonic() < ends and not self._is_over.wait(PACE):
            yield

    def stop(self) -> None:
        self._is_over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


type Serve = Callable[[Callable[[Server, socket.socket], None]], Server]


@pytest.fixture(autouse=True)
def _the_client_is_there() -> None:
    """Made with the first request, it would take some of its time."""
    client(Endpoint("http://127.0.0.1"))


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(answer: Callable[[Server, socket.socket], None]) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def says(serve: Serve) -> Callable[[bytes], Server]:
    """A server that gives the same answer to every request."""

    def start(answer: bytes) -> Server:
        def give(server: Server, connection: socket.socket) -> None:
            while server.hear(connection):
                connection.sendall(answer)

        return serve(give)

    return start


def refused(url: str, deadline: float = 5.0, text: str = "x") -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        post(Endpoint(url), {"input": [text]}, deadline=deadline)
    return caught.value


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"HTT", b""),
        (HEAD + b"X-A: ", b"a"),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b" "),
        (CHUNKED, b"1\r\n \r\n"),
        (CHUNKED + b"1;x=", b"a"),
        (CHUNKED + b"0\r\nX-A: ", b"a"),
        (b"HTTP/1.1 500 Error\r\nContent-Length: 1000\r\n\r\n", b" "),
    ],
    ids=["hints", "nothing", "header", "body", "chunks", "chunk extension", "trailer", "error body"],
)
def test_an_answer_that_lasts_too_long_is_left_at_the_deadline(
    serve: Serve, begin: bytes, piece: bytes
) -> None:
    def answer(server: Server, connection: socket.socket) -> None:
        server.hear(connection)
        connection.sendall(begin)
        server.drip(connection, piece)

    url = serve(answer).url
    started = time.monotonic()
    error = refused(url, 0.5)
    assert time.monotonic() - started < 3
    assert error.kind is ErrorClass.TRANSIENT
    assert str(error) == "127.0.0.1 did not finish its reply within 0.5 s"


def test_a_server_that_takes_the_request_in_sips_is_left_at_the_deadline(serve: Serve) -> None:
    url = serve(Server.sip).url
    started = time.monotonic()
    error = refused(url, 0.5, "x" * 16_000_000)
    assert time.monotonic() - started < 3
    assert error.kind is ErrorClass.TRANSIENT


def test_a_tls_handshake_that_lasts_too_long_is_left_at_the_deadline(serve: Serve) -> None:
    def answer(server: Server, connection: socket.socket) -> None:
        connection.sendall(
            b"\x16\x03\x03\x40\x00\x02\x00\x3f\x00"
        )  # a long first message, of which little comes
        server.drip(connection, b"\0")

    server = serve(answer)
    started = time.monotonic()
    error = refused(f"https://127.0.0.1:{server.port}", 0.5)
    assert time.monotonic() - started < 3
    assert error.kind is ErrorClass.PROVIDER_DOWN


def test_a_name_with_many_addresses_is_given_up_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them takes a connection, nor refuses it."""
    look_up = socket.getaddrinfo
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())

        def many(host: str, *arguments: Any, **options: Any) -> list[Any]:
            if host != "many.test":
                return look_up(host, *arguments, **options)
            return look_up("127.0.0.1", *arguments, **options) * 20

        monkeypatch.setattr(socket, "getaddrinfo", many)
        started = time.monotonic()
        error = refused(f"http://many.test:{full.getsockname()[1]}", 0.5)
    assert time.monotonic() - started < 3
    assert error.kind is ErrorClass.PROVIDER_DOWN
    assert str(error) == "many.test did not accept a connection in time"


def test_of_several_addresses_the_one_that_answers_is_taken(
    says: Callable[[bytes], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = says(GOOD)
    look_up = socket.getaddrinfo

    def two(host: str, *arguments: Any, **options: Any) -> list[Any]:
        if host != "two.test":
            return look_up(host, *arguments, **options)
        return [*look_up("127.0.0.2", *arguments, **options), *look_up("127.0.0.1", *arguments, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    assert post(Endpoint(server.url.replace("127.0.0.1", "two.test")), {}, deadline=5) == {}


def test_a_kept_connection_knows_nothing_of_the_request_before(says: Callable[[bytes], Server]) -> None:
    server = says(GOOD)
    ended = time.monotonic() + 1
    assert post(Endpoint(server.url), {}, deadline=1) == {}
    wait_until(lambda: time.monotonic() > ended)
    assert [post(Endpoint(server.url), {}, deadline=5) for _ in range(3)] == [{}] * 3
    assert server.connections == 1


def test_requests_at_the_same_time_have_each_their_own_deadline(serve: Serve) -> None:
    may_answer = threading.Event()

    def answer(server: Server, connection: socket.socket) -> None:
        server.hear(connection)
        may_answer.wait(10)
        connection.sendall(GOOD)

    url = serve(answer).url
    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(post, Endpoint(url), {}, deadline=10)
        assert refused(url, 0.2).kind is ErrorClass.TRANSIENT
        may_answer.set()
        assert patient.result() == {}


def encoded(status: str, encoding: str, body: bytes, *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Encoding: {encoding}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join([*lines, "\r\n"]).encode() + body


def test_it_is_asked_for_plain_bytes(says: Callable[[bytes], Server]) -> None:
    server = says(GOOD)
    post(Endpoint(server.url), {}, deadline=5)
    assert b"accept-encoding: identity" in server.heard[0].lower().splitlines()


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
def test_an_answer_that_is_packed_all_the_same_is_unpacked(
    says: Callable[[bytes], Server], encoding: str
) -> None:
    packed = gzip.compress(b'{"data": [1]}')
    assert post(Endpoint(says(encoded("200 OK", encoding, packed)).url), {}, deadline=5) == {"data": [1]}


@pytest.mark.parametrize("size", [100_001, 50_000_000])
def test_an_answer_that_unpacks_to_more_than_its_bound_is_left(
    says: Callable[[bytes], Server], size: int
) -> None:
    server = says(encoded("200 OK", "gzip", gzip.compress(b" " * size)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ProviderError, match="returned more than 100,000 bytes"):
        post(Endpoint(server.url), {}, deadline=5, most_bytes=100_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024  # KiB


PACKED = gzip.compress(b"[1]", mtime=0)


@pytest.mark.parametrize(
    "body", [b"", b"no gzip", PACKED[:-9], PACKED[:12]], ids=["empty", "none", "cut", "shorter"]
)
def test_a_broken_gzip_is_refused(says: Callable[[bytes], Server], body: bytes) -> None:
    assert refused(says(encoded("200 OK", "gzip", body)).url).kind is ErrorClass.TRANSIENT


def test_a_packed_error_is_read_like_any_other(says: Callable[[bytes], Server]) -> None:
    body = gzip.compress(b"maximum context length")
    assert refused(says(encoded("400 Bad Request", "gzip", body)).url).kind is ErrorClass.TOO_LONG


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "unheard-of"])
def test_an_answer_in_any_other_encoding_is_refused(says: Callable[[bytes], Server], encoding: str) -> None:
    packed = gzip.compress(gzip.compress(json.dumps({"data": " " * 1_000_000}).encode()))
    error = refused(says(encoded("200 OK", encoding, packed)).url)
    assert error.kind is ErrorClass.TRANSIENT
    assert f"returned 200 encoded as '{encoding.lower()}'" in str(error)


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
def test_an_answer_that_says_it_is_not_encoded_is_read(
    says: Callable[[bytes], Server], encoding: str
) -> None:
    assert post(Endpoint(says(encoded("200 OK", encoding, b"[1]")).url), {}, deadline=5) == [1]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("401 Unauthorized", ErrorClass.AUTH),
        ("413 Content Too Large", ErrorClass.TOO_LONG),
        ("429 Too Many Requests", ErrorClass.RATE_LIMITED),
        ("503 Service Unavailable", ErrorClass.PROVIDER_DOWN),
        ("400 Bad Request", ErrorClass.TRANSIENT),  # what it refuses is in the body
    ],
)
def test_of_an_encoded_error_the_status_counts_and_no_text_is_blamed(
    says: Callable[[bytes], Server], status: str, kind: ErrorClass
) -> None:
    assert refused(says(encoded(status, "br", b"no")).url).kind is kind


@pytest.mark.parametrize("clock", ["07:23:00", "07:28:00", "07:33:00"])
def test_a_retry_date_is_read_by_the_servers_own_clock(says: Callable[[bytes], Server], clock: str) -> None:
    later = f"{clock[:-2]}30"
    server = says(
        b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n"
        + f"Date: Wed, 21 Oct 2015 {clock} GMT\r\nRetry-After: Wed, 21 Oct 2015 {later} GMT\r\n\r\n".encode()
    )
    assert refused(server.url).retry_after == 30
