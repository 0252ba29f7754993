"""A Unix socket is connected to within a time."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpcore
import pytest

from embeddings.providers.embedder_identity import Unreachable
from embeddings.providers.unix_sockets import UnixStream, connect


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    """A server with a queue of one."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen(0)
        yield server


def for_ever() -> float:
    return 5.0


def times(number: int) -> Callable[[], float]:
    """Time left for so many looks."""
    looks = iter(range(number))

    def left() -> float:
        if next(looks, None) is None:
            raise httpcore.ConnectTimeout("the time is over")
        return 0.001

    return left


def test_what_is_sent_is_read_and_the_end_is_seen(listening: socket.socket) -> None:
    stream = connect(listening.getsockname(), for_ever)
    served, _ = listening.accept()
    assert not stream.get_extra_info("is_readable")
    served.sendall(b"hello")
    assert stream.get_extra_info("is_readable")
    assert stream.read(100, 5) == b"hello"
    served.close()
    assert stream.get_extra_info("is_readable")
    assert stream.read(100, 5) == b""
    assert stream.get_extra_info("other") is None
    stream.close()
    assert stream.get_extra_info("is_readable")


def test_a_server_whose_queue_is_full_is_tried_until_the_time_is_over(listening: socket.socket) -> None:
    kept = [connect(listening.getsockname(), for_ever)]
    with pytest.raises(httpcore.ConnectTimeout):
        for _ in range(10):
            kept.append(connect(listening.getsockname(), times(4)))
    for each in kept:
        each.close()


def test_nobody_behind_a_socket_is_an_error_of_connecting(listening: socket.socket) -> None:
    path = listening.getsockname()
    listening.close()
    with pytest.raises(httpcore.ConnectError):
        connect(path, for_ever)


@pytest.mark.parametrize("name", ["missing", "x" * 200])
def test_a_socket_that_cannot_be_is_unreachable(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unreachable):
        connect(str(tmp_path / name), for_ever)


def test_a_read_that_lasts_too_long_or_breaks_is_an_error_of_reading() -> None:
    ours, theirs = socket.socketpair()
    stream = UnixStream(ours)
    with pytest.raises(httpcore.ReadTimeout):
        stream.read(1, 0.01)
    stream.close()
    with pytest.raises(httpcore.ReadError):
        stream.read(1, 0.01)
    theirs.close()
