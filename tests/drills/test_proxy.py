"""The proxy passes everything on until it is told to do harm, and harms just what it was told to."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.proxy import PASS, Proxy, Rules
from tests.waiting import wait_until


@pytest.fixture
def received() -> list[bytes]:
    """What the server was sent."""
    return []


@pytest.fixture
def proxy(received: list[bytes]) -> Iterator[Proxy]:
    """In front of a server that says everything back."""

    def echo(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65_536):
                received.append(data)
                connection.sendall(data)

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=[connection], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        with Proxy(server.getsockname()) as standing:
            yield standing
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"
        yield connection


def is_over(connection: socket.socket) -> bool:
    """Whether the other side has ended it."""
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


def everything(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count and (data := connection.recv(65_536)):
        found += data
    return found


def test_it_passes_on_what_is_longer_than_a_piece(client: socket.socket) -> None:
    text = b"0123456789" * 50_000
    threading.Thread(target=client.sendall, args=[text], daemon=True).start()
    assert everything(client, len(text)) == text


def test_a_delayed_reply_comes_late_and_whole(proxy: Proxy, client: socket.socket) -> None:
    proxy.rules = Rules(delay_seconds=0.2)
    began = time.monotonic()
    client.sendall(b"late")
    assert client.recv(100) == b"late"
    assert time.monotonic() - began >= 0.2


def test_a_refused_connection_ends_and_an_open_one_lives_on(proxy: Proxy, client: socket.socket) -> None:
    proxy.rules = Rules(refuse=True)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as refused:
        assert is_over(refused)
    client.sendall(b"still here")
    assert client.recv(100) == b"still here"


def test_all_open_connections_are_cut_and_new_ones_pass(proxy: Proxy, client: socket.socket) -> None:
    assert proxy.cut() == 1
    assert is_over(client)
    wait_until(lambda: proxy.open_connections == 0)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as again:
        again.sendall(b"again")
        assert again.recv(100) == b"again"


def test_a_request_arrives_whose_reply_is_swallowed(
    proxy: Proxy, client: socket.socket, received: list[bytes]
) -> None:
    proxy.rules = Rules(swallow=True)
    client.sendall(b"commit")
    wait_until(lambda: proxy.swallowed == len(b"commit"))
    assert received[-1] == b"commit"
    proxy.rules = PASS
    client.sendall(b"after")
    assert client.recv(100) == b"after"


def test_a_connection_is_cut_after_so_many_bytes_from_now(proxy: Proxy, client: socket.socket) -> None:
    proxy.rules = Rules(cut_after=3)
    client.sendall(b"truncated")
    assert everything(client, 100) == b"tru"


def test_a_server_that_is_away_looks_like_one_that_hangs_up(tmp_path: Path) -> None:
    with (
        Proxy(str(tmp_path / "nobody.sock")) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client,
    ):
        assert is_over(client)


def test_the_server_may_be_behind_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "server.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        with Proxy(path) as proxy, socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
            inner, _ = server.accept()
            with inner:
                client.sendall(b"ping")
                assert inner.recv(100) == b"ping"
                inner.sendall(b"pong")
            assert client.recv(100) == b"pong"
