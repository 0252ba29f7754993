"""Nothing on a connection lasts beyond a moment; test_transport.py has whole requests against slow servers."""

import math
import socket
import threading
import time
from collections.abc import Iterator

import httpcore
import pytest

from embeddings.providers import network
from embeddings.providers.network import _Backend, _countdown, _left, _Stream, until


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def connected(listening: socket.socket) -> tuple[httpcore.NetworkStream, socket.socket]:
    stream = _Backend("").connect_tcp("127.0.0.1", listening.getsockname()[1], 5)
    served, _ = listening.accept()
    return stream, served


def test_without_an_end_the_timeout_alone_counts() -> None:
    assert _left(3.0, httpcore.ReadTimeout) == 3.0
    assert _left(None, httpcore.ReadTimeout) == math.inf


def test_the_sooner_of_end_and_timeout_counts() -> None:
    with until(time.monotonic() + 5):
        assert _left(1.0, httpcore.ReadTimeout) == 1.0
        assert 4 < _left(60.0, httpcore.ReadTimeout) <= 5
        assert 4 < _left(None, httpcore.ReadTimeout) <= 5


@pytest.mark.parametrize("late", [httpcore.ReadTimeout, httpcore.WriteTimeout, httpcore.ConnectTimeout])
def test_after_the_end_everything_is_late(
    late: type[httpcore.ReadTimeout | httpcore.WriteTimeout | httpcore.ConnectTimeout],
) -> None:
    with until(time.monotonic()), pytest.raises(late):
        _left(60.0, late)
    assert _left(1.0, late) == 1.0  # the end is over with its block


def test_an_end_is_of_its_thread_alone() -> None:
    found: list[float] = []
    with until(time.monotonic() - 1):
        thread = threading.Thread(target=lambda: found.append(_left(7.0, httpcore.ReadTimeout)))
        thread.start()
        thread.join()
    assert found == [7.0]


def test_an_end_inside_another_takes_its_place_for_a_while() -> None:
    with until(time.monotonic() + 5), pytest.raises(LookupError), until(time.monotonic() + 1):
        assert _left(None, httpcore.ReadTimeout) <= 1
        raise LookupError
    assert _left(None, httpcore.ReadTimeout) == math.inf


def test_the_time_for_connecting_runs_out() -> None:
    left = _countdown(0.0)
    with pytest.raises(httpcore.ConnectTimeout):
        left()
    assert _countdown(None)() == math.inf


def test_what_is_sent_arrives_and_is_read(listening: socket.socket) -> None:
    stream, served = connected(listening)
    with served:
        stream.write(b"x" * 100_000, 5)
        assert len(served.recv(200_000)) > 0
        served.sendall(b"answer")
        assert stream.read(100, 5) == b"answer"
    stream.close()


def test_a_side_that_takes_or_says_nothing_is_left_at_the_end(listening: socket.socket) -> None:
    stream, served = connected(listening)
    with served, until(time.monotonic() + 0.05), pytest.raises(httpcore.ReadTimeout):
        stream.read(1, 60)
    with served, until(time.monotonic() + 0.05), pytest.raises((httpcore.WriteTimeout, httpcore.WriteError)):
        stream.write(b"x" * 50_000_000, 60)
    stream.close()


def test_an_error_while_connecting_counts_as_not_connected() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        for error, kind in (
            (httpcore.ReadError("x"), httpcore.ConnectError),
            (httpcore.WriteTimeout("x"), httpcore.ConnectTimeout),
            (LookupError("x"), LookupError),
        ):
            with pytest.raises(kind), network._closed_on_error(_Stream(_Plain(ours))):
                raise error
            assert ours.fileno() == -1


class _Plain(httpcore.NetworkStream):
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def close(self) -> None:
        self._connection.close()


def test_a_name_without_an_address_and_a_port_without_a_server_are_errors_of_connecting(
    listening: socket.socket,
) -> None:
    port = listening.getsockname()[1]
    listening.close()
    for host in ("127.0.0.1", "no-such-host.invalid", ""):
        with pytest.raises(httpcore.ConnectError):
            _Backend("").connect_tcp(host, port, 5)
