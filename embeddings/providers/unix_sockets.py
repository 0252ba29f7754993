"""Connects to a Unix socket within a time limit, also if the server's queue is full, unlike httpcore."""

import select
import socket
import time
from collections.abc import Callable
from typing import Any

import httpcore

from embeddings.providers.embedder_identity import Unreachable

_SECONDS_BETWEEN_TRIES = 0.01


class UnixStream(httpcore.NetworkStream):
    """A connection; network.py wraps it and writes to its socket itself."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._connection.settimeout(timeout)
            return self._connection.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def close(self) -> None:
        self._connection.close()

    def get_extra_info(self, info: str) -> Any:
        """The socket, and whether it is readable: so the pool notices that the server has closed it."""
        if info == "is_readable":
            return _is_readable(self._connection)
        return self._connection if info == "socket" else None


def connect(path: str, left: Callable[[], float]) -> UnixStream:
    """A connection to `path`; raises httpcore.ConnectError. `left` returns the seconds until the deadline, or
    raises."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        _connect(connection, path, left)
    except BaseException:
        connection.close()
        raise
    return UnixStream(connection)


def _connect(connection: socket.socket, path: str, left: Callable[[], float]) -> None:
    while True:
        try:
            connection.settimeout(left())
            connection.connect(path)
            return
        except (
            BlockingIOError
        ):  # the queue is full, and the kernel does not wait for a place (connect(2), EAGAIN)
            time.sleep(min(_SECONDS_BETWEEN_TRIES, left()))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except ConnectionRefusedError as error:
            raise httpcore.ConnectError(str(error)) from error
        except OSError as error:
            raise Unreachable(f"refuses connections ({error.strerror or error})") from error


def _is_readable(connection: socket.socket) -> bool:
    if (number := connection.fileno()) < 0:
        return True
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))
