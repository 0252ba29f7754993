"""A stream on which nothing lasts beyond a deadline or brings more than is allowed."""

import io
import socket
from collections.abc import Iterator

import pytest

from embeddings.servers.local_embedder.deadline_stream import Channel


@pytest.fixture
def pair() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), theirs


def test_nothing_is_allowed_at_first(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    theirs.sendall(b"x")
    with pytest.raises(TimeoutError):
        channel.read(1)
    with pytest.raises(TimeoutError):
        channel.write(b"x")


def test_what_comes_in_time_is_read_and_written(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    channel.allow(5)
    theirs.sendall(b"abc")
    assert channel.read(10) == b"abc"
    assert channel.write(b"xyz") == 3
    assert theirs.recv(10) == b"xyz"


def test_silence_ends_at_the_deadline_however_the_stream_is_read(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    theirs.sendall(b"half of a line")
    channel.allow(0.02)
    with pytest.raises(TimeoutError):
        io.BufferedReader(channel).readline()


def test_a_side_that_takes_nothing_is_waited_for_until_the_deadline_only(
    pair: tuple[Channel, socket.socket],
) -> None:
    channel, _ = pair
    channel.allow(0.02)
    with pytest.raises(TimeoutError):
        while True:
            channel.write(b"x" * 65_536)


@pytest.mark.parametrize(("sent", "is_too_much"), [(9, False), (10, False), (11, True)])
def test_bytes_are_counted_over_all_reads(
    pair: tuple[Channel, socket.socket], sent: int, is_too_much: bool
) -> None:
    channel, theirs = pair
    channel.allow(5, most_bytes=10)
    theirs.sendall(b"x" * sent)
    theirs.shutdown(socket.SHUT_WR)
    got = 0
    if is_too_much:
        with pytest.raises(ConnectionAbortedError):
            while True:
                got += len(channel.read(4))
    else:
        while part := channel.read(4):
            got += len(part)
        assert got == sent


def test_a_new_allowance_takes_the_place_of_the_old_one(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    channel.allow(5, most_bytes=1)
    channel.allow(5)
    theirs.sendall(b"abc")
    assert channel.read(3) == b"abc"


def test_the_end_of_the_other_side_is_not_an_error(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    channel.allow(5, most_bytes=1)
    theirs.close()
    assert channel.read(1) == b""
