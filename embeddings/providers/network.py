"""Connections on which nothing lasts beyond a deadline, however slow the other side is."""

import contextlib
import math
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

from embeddings.providers import embedder_identity, unix_sockets
from embeddings.providers.endpoint import Endpoint

# By the monotonic clock. Threads share the connections; each has its own deadline.
_ends: ContextVar[float] = ContextVar("ends", default=math.inf)


@contextlib.contextmanager
def until(ends: float) -> Iterator[None]:
    """Within the block, this thread's use of these connections raises httpx.TimeoutException after `ends`, a moment of
    time.monotonic(): connecting, TLS, sending, and each kind of reading."""
    token = _ends.set(ends)
    try:
        yield
    finally:
        _ends.reset(token)


class Transport(httpx.HTTPTransport):
    """httpx's transport, whose own timeouts restart with every byte, on connections with a deadline.

    `endpoint` names a Unix socket to connect to, the secret that a server must prove first, a proxy, and the
    authorities to trust.
    """

    def __init__(self, limits: httpx.Limits, endpoint: Endpoint) -> None:
        if endpoint.ca_file:
            tls = ssl.create_default_context(cafile=endpoint.ca_file)
        else:
            tls = httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=tls)
        self._pool = _pool(limits, endpoint, tls)


def _pool(limits: httpx.Limits, endpoint: Endpoint, tls: ssl.SSLContext) -> httpcore.ConnectionPool:
    """httpx has no option for a backend."""
    common: dict[str, Any] = {
        "ssl_context": tls,
        "max_connections": limits.max_connections,
        "max_keepalive_connections": limits.max_keepalive_connections,
        "keepalive_expiry": limits.keepalive_expiry,
        "network_backend": _Backend(endpoint.secret),
    }
    if not endpoint.proxy:
        return httpcore.ConnectionPool(uds=endpoint.socket or None, **common)
    proxy = httpx.Proxy(endpoint.proxy)
    return httpcore.HTTPProxy(str(proxy.url), proxy_auth=proxy.raw_auth, **common)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, secret: str) -> None:
        self._sockets = httpcore.SyncBackend()
        self._secret = secret

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("it has no address")
        for address in _addresses(host, port):  # with the name alone, each of them would get the whole time
            try:
                left = _left(timeout, httpcore.ConnectTimeout)
                connected = self._sockets.connect_tcp(address, port, left, local_address, socket_options)
                return self._proven(_Stream(connected), f"{address}:{port}", timeout)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        stream = _Stream(unix_sockets.connect(path, _countdown(timeout)))
        with _closed_on_error(stream):
            embedder_identity.check_owner(stream.get_extra_info("socket"), path)
        return stream

    def _proven(self, stream: "_Stream", address: str, timeout: float | None) -> httpcore.NetworkStream:
        if self._secret:
            with _closed_on_error(stream):
                embedder_identity.check_proof(stream, address, self._secret, _countdown(timeout))
        return stream


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


@contextlib.contextmanager
def _closed_on_error(stream: _Stream) -> Iterator[None]:
    """Closes a connection that must not be used; an error in the block counts as not connected."""
    try:
        yield
    except (httpcore.ReadError, httpcore.WriteError) as error:
        stream.close()
        raise httpcore.ConnectError(str(error)) from error
    except httpcore.TimeoutException as error:
        stream.close()
        raise httpcore.ConnectTimeout(str(error)) from error
    except BaseException:
        stream.close()
        raise


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error
    return [str(address[0]) for *_, address in found]


def _countdown(timeout: float | None) -> Callable[[], float]:
    """Seconds until the deadline or `timeout`, whichever is sooner; raises ConnectTimeout after it."""
    ends = math.inf if timeout is None else time.monotonic() + timeout

    def left() -> float:
        rest = ends - time.monotonic()
        if rest <= 0:
            raise httpcore.ConnectTimeout("the time for connecting is over")
        return _left(rest, httpcore.ConnectTimeout)

    return left


def _left(timeout: float | None, late: type[httpcore.TimeoutException]) -> float:
    """Seconds until the deadline, `timeout` at most; raises `late` if none are left."""
    left = _ends.get() - time.monotonic()
    if left <= 0:
        raise late("the deadline is over")
    return left if timeout is None else min(left, timeout)
