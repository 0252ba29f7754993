"""Connections on which nothing lasts beyond a given moment, however slowly the other side goes."""

import contextlib
import math
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

# By the monotonic clock. Threads share the connections; each has its own end.
_ends: ContextVar[float] = ContextVar("ends", default=math.inf)


@contextlib.contextmanager
def until(ends: float) -> Iterator[None]:
    """Within the block, what this thread asks of these connections raises httpx.TimeoutException after `ends`, a
    moment of time.monotonic(): connecting, TLS, sending, and each kind of reading."""
    token = _ends.set(ends)
    try:
        yield
    finally:
        _ends.reset(token)


class Transport(httpx.HTTPTransport):
    """httpx's transport, whose own timeouts begin anew with every byte that comes, on connections that know the end."""

    def __init__(self, limits: httpx.Limits) -> None:
        tls = httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=tls)
        self._pool = httpcore.ConnectionPool(  # httpx has no option for a backend
            ssl_context=tls,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Backend(),
        )


class _Backend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("it has no address")
        for address in _addresses(host, port):  # given the name, each of them would get the whole time
            try:
                left = _left(timeout, httpcore.ConnectTimeout)
                return _Stream(self._sockets.connect_tcp(address, port, left, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        connection: socket.socket = self.get_extra_info("socket")
        rest = memoryview(buffer)
        try:
            while rest:
                connection.settimeout(_left(timeout, httpcore.WriteTimeout))
                rest = rest[connection.send(rest) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error
    return [str(address[0]) for *_, address in found]


def _left(timeout: float | None, late: type[httpcore.TimeoutException]) -> float:
    """The seconds until the end, `timeout` at most; raises `late` when there are none."""
    left = _ends.get() - time.monotonic()
    if left <= 0:
        raise late("the deadline is over")
    return left if timeout is None else min(left, timeout)
