"""Reads the body of a request whole, within bounds of size and time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from config.serving.answers import RefusedError
from config.serving.environ import Scope
from config.serving.limits import KIB, Limits
from config.serving.transfers import Transfer

type Receive = Callable[[], Awaitable[Mapping[str, Any]]]

UNCOUNTED_BYTES = 64 * KIB  # so little is always taken in: the number of connections bounds it
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LINGER_SECONDS, _LINGER_BYTES = 1.0, 8 * KIB * KIB


def announced(scope: Scope) -> int | None:
    """The length of the body: 0 where there is none, None for one in chunks. Raises RefusedError for nonsense."""
    length: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            length = value
    if length is None:
        return 0
    if not length.isdigit() or len(length) > 18:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the Content-Length is not a number")
    return int(length)


def check(scope: Scope, path: str, length: int | None, limits: Limits, taking: tuple[str, ...]) -> None:
    """Raises RefusedError for a body that is too large, or that nothing at this path (`taking`: prefixes of those that
    do) or by this method would read."""
    if length == 0:
        return
    if scope["method"] not in _WITH_BODY or not path.startswith(taking):
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a body is not accepted here; send none")
    if length is not None and length > limits.body_bytes:
        raise _too_large(limits)


async def read(receive: Receive, length: int | None, transfer: Transfer, limits: Limits) -> bytes:
    """The body. Raises RefusedError for one that is too large or too slow, that breaks off or has malformed chunks."""
    try:
        with transfer:
            return await _read(receive, length, transfer, limits)
    except TimeoutError:
        raise RefusedError(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the body arrived too slowly: send without pauses of {limits.body_seconds:g} s, and at "
            f"{limits.body_bytes_per_second:,} bytes per second",
        ) from None


async def _read(receive: Receive, length: int | None, transfer: Transfer, limits: Limits) -> bytes:
    parts: list[bytes] = []
    size = 0
    started = asyncio.get_running_loop().time()
    while size != length:  # no further message is awaited where the length is reached
        message = await receive()
        if message["type"] != "http.request":
            # Also if a client has left. One that has only closed its sending side would get the server's own 500.
            raise RefusedError(
                HTTPStatus.BAD_REQUEST, "the body broke off before its end, or its chunks are malformed"
            )
        part = message.get("body", b"")
        size += len(part)
        if size > limits.body_bytes:
            raise _too_large(limits)
        parts.append(part)
        if size > UNCOUNTED_BYTES:
            transfer.add(size - transfer.size)
        if not message.get("more_body", False):
            break
        transfer.moved(started + limits.body_seconds + size / limits.body_bytes_per_second)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(limits: Limits) -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {limits.body_bytes:,} bytes"
    )


async def discard(receive: Receive) -> None:
    """Reads on for a moment after a refusal: to a client that still sends, a connection closed at once would be an
    error of the network, and the refusal lost."""
    size = 0
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while size < _LINGER_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return


async def left(receive: Receive) -> None:
    """Returns when the client has closed its connection; to be awaited after the body."""
    while (await receive())["type"] == "http.request":
        pass
