"""Socket settings of this process for which the HTTP server has no option."""

import asyncio
import contextlib
import os
import resource
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from config.serving.environ import Scope

_FILES = Path("/dev/fd")
MOST = 4_096
FILES_BESIDES = 256  # the database, the broker, the log, what is being read
_GATHERING_SECONDS = 0.2


def allowed() -> int:
    """Maximum connections of a process: our bound, or less if its limit of open files is lower."""
    return max(128, min(MOST, _files_allowed() - FILES_BESIDES))


def allow() -> None:
    """Lets this process open as many files as `allowed` counts on."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (_files_allowed(), hard))


def _files_allowed() -> int:
    soft, hard = (
        sys.maxsize if limit == resource.RLIM_INFINITY else limit
        for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    return max(soft, min(hard, MOST + FILES_BESIDES))


def end_unread(seconds: float) -> None:
    """Has the kernel end a connection whose peer takes nothing of what was sent for `seconds` (tcp(7),
    TCP_USER_TIMEOUT; Linux). To be called before the first connection: set on the socket that listens, or will, it
    holds for those that it accepts."""
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    for each in _tcp_sockets():
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


class Endings:
    """Ends connections whose clients take nothing. A look at the sockets costs by their number, so that one look serves
    all that are to be ended within a moment."""

    def __init__(self) -> None:
        self._wanted: set[tuple[str, int, int]] = set()

    def end(self, scope: Scope) -> None:
        """Closes the connection of this request soon, if it is still open."""
        client, server = scope.get("client"), scope.get("server")
        if client and server:
            if not self._wanted:
                asyncio.get_running_loop().call_later(_GATHERING_SECONDS, self._end_all)
            self._wanted.add((client[0], int(client[1]), int(server[1])))

    def _end_all(self) -> None:
        for each in _tcp_sockets():
            with contextlib.suppress(OSError):
                peer, own = each.getpeername(), each.getsockname()
                if (peer[0], peer[1], own[1]) in self._wanted:
                    # A reset: what the client has not taken would stay in the kernel's memory before the end.
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    each.shutdown(socket.SHUT_RDWR)
        self._wanted.clear()


def _tcp_sockets() -> Iterator[socket.socket]:
    """Each TCP socket of this process, by a descriptor of our own."""
    for name in _FILES.iterdir():
        try:
            each = socket.socket(fileno=os.dup(int(name.name)))
        except OSError:  # closed meanwhile, or not a socket
            continue
        with each:
            if each.family in (socket.AF_INET, socket.AF_INET6) and each.type == socket.SOCK_STREAM:
                yield each
