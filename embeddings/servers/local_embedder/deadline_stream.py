"""A connection as a raw stream on which nothing lasts beyond a deadline, however slow the other side is."""

import io
import socket
import time
from collections.abc import Buffer


class Channel(io.RawIOBase):
    """Reads and writes raise TimeoutError after the deadline; `connection` is closed by its owner, not here."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self._ends = 0.0
        self._left: int | None = None

    def allow(self, seconds: float, most_bytes: int | None = None) -> None:
        """From now on everything together may last `seconds`, and read `most_bytes` from the network (None: any)."""
        self._ends = time.monotonic() + seconds
        self._left = most_bytes

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Raises ConnectionAbortedError if more arrives than is allowed."""
        self._wait_no_longer()
        received = self._connection.recv_into(buffer)
        if self._left is not None:
            self._left -= received
            if self._left < 0:
                raise ConnectionAbortedError("more bytes than are allowed here")
        return received

    def write(self, data: Buffer) -> int:
        self._wait_no_longer()
        return self._connection.send(data)

    def _wait_no_longer(self) -> None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline is over")
        self._connection.settimeout(left)
