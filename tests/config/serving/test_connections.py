"""The sockets and files of a process."""

import asyncio
import resource
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from config.serving import connections
from config.serving.connections import FILES_BESIDES, MOST, Endings, allow, allowed

UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "found"),
    [
        (1_024, 1_024, 1_024 - FILES_BESIDES),
        (1_024, 4_096, 4_096 - FILES_BESIDES),  # we may ask for more
        (1_024, UNLIMITED, MOST),
        (UNLIMITED, UNLIMITED, MOST),
        (64, 64, 128),
        (1_000_000, 1_000_000, MOST),
        (256 + 4_095, 256 + 4_095, 4_095),
    ],
)
def test_connections_are_as_many_as_files_may_be_open(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, found: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    assert allowed() == found


def test_a_process_that_may_not_raise_its_limit_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "setrlimit", refuse)
    allow()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A server's and a client's end of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        served, _ = listening.accept()
        with client, served:
            yield served, client


def test_a_connection_is_ended_by_the_names_of_its_ends(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[socket.socket, socket.socket]
) -> None:
    monkeypatch.setattr(connections, "_GATHERING_SECONDS", 0.0)
    served, client = pair

    async def end(peer: tuple[str, int]) -> None:
        Endings().end({"client": peer, "server": served.getsockname()})
        await asyncio.sleep(0.01)

    host, port = client.getsockname()
    asyncio.run(end((host, port - 1)))
    served.sendall(b"still there")
    assert client.recv(100) == b"still there"
    asyncio.run(end((host, port)))
    with pytest.raises(OSError):
        served.sendall(b"gone")


@pytest.mark.parametrize(
    "scope", [{}, {"client": None, "server": ("h", 1)}, {"client": ("h", 1), "server": None}]
)
def test_a_connection_without_names_is_left_to_itself(scope: dict[str, Any]) -> None:
    endings = Endings()
    endings.end(scope)  # outside an event loop anything else would raise
    assert not endings._wanted
