"""The broker's problem in health: found quickly, and never a reason to fail."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from queueops.wakeups import broker_health


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def answering(listening: socket.socket, line: bytes) -> None:
    """Sends the same reply to every request."""

    def talk(connection: socket.socket) -> None:
        with connection:
            while connection.recv(65536):
                connection.sendall(line)

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=[connection], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def url(listening: socket.socket) -> str:
    return f"redis://:s3cret@127.0.0.1:{listening.getsockname()[1]}/0?protocol=2"


def test_a_broker_that_takes_a_write_is_well() -> None:
    assert broker_health.problem() == ""


def test_a_broker_that_does_not_run_does_not_respond(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert broker_health.problem() == "does not answer"


def test_a_broker_that_hangs_is_not_waited_for(settings: Settings, server: socket.socket) -> None:
    settings.REDIS_URL = url(server)
    began = time.monotonic()
    assert broker_health.problem() == "does not answer in time"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"-READONLY You can't write against a read only replica.\r\n", "takes no writes: it is a replica"),
        (
            b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
            "takes no writes: it is out of memory",
        ),
        (b"-WRONGPASS invalid username-password pair\r\n", "refuses our password"),
        (b"-MISCONF Errors writing to the disk\r\n", "refuses our messages"),
    ],
)
def test_a_broker_that_refuses_writes_has_its_own_sentence(
    settings: Settings, server: socket.socket, line: bytes, says: str
) -> None:
    answering(server, line)
    settings.REDIS_URL = url(server).replace(":s3cret@", "")
    assert broker_health.problem() == says


def test_its_address_and_password_are_not_repeated(settings: Settings, server: socket.socket) -> None:
    settings.REDIS_URL = url(server)
    assert "s3cret" not in broker_health.problem()
