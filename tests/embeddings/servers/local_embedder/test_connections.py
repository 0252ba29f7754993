"""However many connections stall, and however slowly, a search is embedded in time and the threads stay bounded."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from embeddings.providers.openai import LOCAL_LIMITS, OpenAIProvider
from embeddings.servers.local_embedder import server_proof
from embeddings.servers.local_embedder.connections import Connections, Stage
from embeddings.servers.local_embedder.server import MAX_CONNECTIONS
from tests.providers import ProviderProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

STALLED = 300
OTHER_THREADS = 24
"""Of the model, its runtime and the server itself."""


def connect(embedder: ProviderProcess) -> socket.socket:
    url = httpx.URL(embedder.url)
    if embedder.endpoint.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(
            embedder.endpoint.socket
        )  # waits for a place in the queue, as it could not with a timeout
        client.settimeout(10)
        return client
    assert url.port
    return socket.create_connection((url.host, url.port), timeout=10)


def head(embedder: ProviderProcess, length: int) -> bytes:
    host = httpx.URL(embedder.url).netloc.decode()
    lines = [
        "POST /v1/embeddings HTTP/1.1",
        f"Host: {host}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        f"Authorization: Bearer {server_proof.token(embedder.endpoint.secret)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def threads(embedder: ProviderProcess) -> int:
    status = Path(f"/proc/{embedder.process.pid}/status").read_text()
    return int(status.partition("Threads:")[2].split()[0])


@contextmanager
def stalled(embedder: ProviderProcess, begins: list[bytes]) -> Iterator[None]:
    """300 connections, each begun in one of these ways and left so."""
    with ExitStack() as opened:
        for number in range(STALLED):
            client = opened.enter_context(connect(embedder))
            client.sendall(begins[number % len(begins)])
        yield


def test_stalled_connections_neither_stop_a_search_nor_pile_up_threads(embedder: ProviderProcess) -> None:
    asking = OpenAIProvider(embedder.endpoint, "all-MiniLM-L6-v2", 384, limits=LOCAL_LIMITS)
    large = 16 * 1024 * 1024
    begins = [
        b"",
        b"POST /v1/emb",
        head(embedder, 20),
        head(embedder, large) + b"{",
        head(embedder, large)[:-2],
    ]
    with stalled(embedder, begins):
        for number in range(5):
            assert asking.embed([f"a search {number}"], 3.0).shape == (1, 384)
        assert threads(embedder) <= MAX_CONNECTIONS + OTHER_THREADS
    wait_until(lambda: threads(embedder) < OTHER_THREADS + 5, 15, "the end of their threads")


def test_strangers_without_the_secret_cannot_push_out_a_kept_connection(on_port: ProviderProcess) -> None:
    with connect(on_port) as kept:
        kept.sendall(head(on_port, 1) + b"x")
        assert kept.recv(65_536).startswith(b"HTTP/1.1 400")
        health = f"GET /health HTTP/1.1\r\nHost: {httpx.URL(on_port.url).netloc.decode()}\r\n\r\n"
        with stalled(on_port, [b"", health.encode()]):
            kept.sendall(head(on_port, 1) + b"x")
            assert kept.recv(65_536).startswith(b"HTTP/1.1 400")


def test_connections_that_drip_are_closed_at_their_deadline(embedder: ProviderProcess) -> None:
    begins = [b"", b"POST /v1/", head(embedder, 100)]
    with ExitStack() as opened:
        clients = [opened.enter_context(connect(embedder)) for _ in begins]
        for client, begin in zip(clients, begins, strict=True):
            client.sendall(begin)
        dripping = clients[1:]
        is_over = threading.Event()
        dripper = threading.Thread(target=drip, args=(dripping, is_over))
        dripper.start()
        began = time.monotonic()
        for client in clients:
            client.settimeout(20)
            assert ended(client)
        assert time.monotonic() - began < 15
        is_over.set()
        dripper.join()


def ended(client: socket.socket) -> bool:
    """Waits for the other side to close."""
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


def drip(clients: list[socket.socket], is_over: threading.Event) -> None:
    while not is_over.wait(0.3):
        for client in clients:
            try:
                client.send(b"x")
            except OSError:
                continue


def test_a_head_of_more_than_32_kb_ends_the_connection(embedder: ProviderProcess) -> None:
    with connect(embedder) as client:
        try:
            client.sendall(head(embedder, 1)[:-2] + b"X: " + b"x" * 40_000 + b"\r\nY: " + b"y" * 40_000)
        except ConnectionError:
            return
        assert ended(client)


def test_when_all_are_at_work_a_new_connection_is_refused() -> None:
    connections = Connections(most=1)
    (busy, _busy), (new, _new) = socket.socketpair(), socket.socketpair()
    with busy, _busy, new, _new:
        assert connections.admit(busy)
        connections.enter(busy, Stage.WORKING)
        assert not connections.admit(new)
        connections.leave(busy)
        assert connections.admit(new)


def test_the_one_that_never_passed_the_checks_makes_room_first() -> None:
    connections = Connections(most=2)
    pairs = [socket.socketpair() for _ in range(3)]
    (known, _), (stranger, strangers_client), (new, _) = pairs
    assert connections.admit(known)
    connections.enter(known, Stage.IDLE)
    assert connections.admit(stranger)
    strangers_client.settimeout(10)

    def leave_when_closed() -> None:
        stranger.recv(1)
        connections.leave(stranger)

    leaving = threading.Thread(target=leave_when_closed)
    leaving.start()
    assert connections.admit(new)
    leaving.join()
    connections.enter(known, Stage.WORKING)  # it was not closed
    for pair in pairs:
        for end in pair:
            end.close()
