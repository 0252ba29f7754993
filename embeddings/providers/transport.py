"""HTTP to providers, with a deadline for the whole exchange and a bound on the reply's size."""

import atexit
import contextlib
import email.utils
import math
import os
import time
import zlib
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from embeddings.providers import connect_errors, network, refusals
from embeddings.providers.endpoint import Endpoint
from embeddings.providers.errors import ErrorClass, ProviderError

CONNECT_SECONDS = 3.0
# this much is never read, however many vectors were requested
MAX_REPLY_BYTES = 160 * 1024 * 1024
_ERROR_BYTES = 64 * 1024
# h11's words for a first line that is no HTTP: it has no type for them
_NOT_HTTP = ("illegal request line", "illegal status line")
_PACKINGS = {"": "", "identity": "", "gzip": "gzip", "x-gzip": "gzip"}

_clients: dict[tuple[object, ...], httpx.Client] = {}


def client(endpoint: Endpoint) -> httpx.Client:
    """This process's client for endpoints of the same kind: one for all addresses, one for each Unix socket, secret,
    proxy and set of authorities. A forked child makes its own. Redirects are refused: URLs come from settings only."""
    kind = (os.getpid(), endpoint.socket, endpoint.secret, endpoint.proxy, endpoint.ca_file)
    if kind not in _clients:
        limits = httpx.Limits(max_connections=128, max_keepalive_connections=64, keepalive_expiry=30)
        _clients[kind] = httpx.Client(
            transport=network.Transport(limits, endpoint),
            # unpacking costs time; a reply that is packed all the same is bounded when it is unpacked
            headers={"accept-encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )
        atexit.register(_clients[kind].close)
    return _clients[kind]


def post(
    endpoint: Endpoint,
    payload: dict[str, Any],
    *,
    deadline: float,
    headers: dict[str, str] | None = None,
    most_bytes: int = MAX_REPLY_BYTES,
) -> Any:
    """Posts JSON and returns the reply's JSON. `deadline`: seconds from now for connect, send and the whole reply,
    which is read up to `most_bytes`.

    Raises ProviderError, by class; its message never contains the payload or a header.
    """
    ends = time.monotonic() + deadline
    try:
        return _exchange(
            endpoint, orjson.dumps(payload), ends, headers or {}, min(most_bytes, MAX_REPLY_BYTES)
        )
    except httpx.ConnectError as error:
        raise ProviderError(
            ErrorClass.PROVIDER_DOWN, f"{endpoint.next_hop} {connect_errors.reason(error)}"
        ) from error
    except httpx.ProxyError as error:
        raise ProviderError(
            ErrorClass.PROVIDER_DOWN,
            f"{endpoint.next_hop} does not connect to {endpoint.where} ({str(error)[:100]}): check EMBEDDING_PROXY",
        ) from error
    except httpx.ConnectTimeout as error:
        raise ProviderError(
            ErrorClass.PROVIDER_DOWN, f"{endpoint.next_hop} did not accept a connection in time"
        ) from error
    except httpx.TimeoutException as error:
        raise _late(endpoint.where, deadline) from error
    except httpx.HTTPError as error:
        raise _broken_off(endpoint.where, error) from error


def _exchange(endpoint: Endpoint, body: bytes, ends: float, headers: dict[str, str], most_bytes: int) -> Any:
    timeout = httpx.Timeout(ends - time.monotonic(), connect=CONNECT_SECONDS)
    headers = {"content-type": "application/json", **endpoint.headers, **headers}
    request = client(endpoint).stream("POST", endpoint.url, content=body, headers=headers, timeout=timeout)
    with network.until(ends), request as reply:
        if reply.status_code != httpx.codes.OK:
            raise _refusal(reply, endpoint.where)
        if _packing(reply) is None:
            raise _unreadable(reply, endpoint.where)
        raw = _read(reply, endpoint.where, most_bytes)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ProviderError(
            ErrorClass.TRANSIENT, f"{endpoint.where} returned 200 without valid JSON"
        ) from error


def _refusal(reply: httpx.Response, where: str) -> ProviderError:
    is_readable = _packing(reply) is not None
    body = _read(reply, where, _ERROR_BYTES) if is_readable else b""
    wait = seconds_of(reply.headers.get("retry-after"), reply.headers.get("date"))
    error = refusals.error_of(reply.status_code, wait, body, where, reply.headers.get("location", ""))
    if not is_readable and error.kind is ErrorClass.INVALID_INPUT:  # the unread body may mean something else
        return _unreadable(reply, where)
    return error


def _packing(reply: httpx.Response) -> str | None:
    """How the body is packed: "" or "gzip"; None for what is not read."""
    encoding = reply.headers.get("content-encoding", "").strip().lower()
    return _PACKINGS.get(encoding)


def _unreadable(reply: httpx.Response, where: str) -> ProviderError:
    encoding = reply.headers["content-encoding"].strip().lower()
    return ProviderError(
        ErrorClass.TRANSIENT,
        f"{where} returned {reply.status_code} encoded as {encoding[:40]!r} although it was asked not to "
        "encode: check the server or the proxy before it",
    )


def _read(reply: httpx.Response, where: str, limit: int) -> bytearray:
    """The body, unpacked, of at most `limit` bytes. Raises ProviderError."""
    raw, unpack = bytearray(), zlib.decompressobj(wbits=31) if _packing(reply) else None
    try:
        for part in reply.iter_raw():
            raw += part if unpack is None else unpack.decompress(part, limit + 1 - len(raw))
            if len(raw) > limit:
                raise ProviderError(ErrorClass.TRANSIENT, f"{where} returned more than {limit:,} bytes")
        if unpack is not None and not unpack.eof:
            raise zlib.error("it ends too soon")
    except zlib.error as error:
        raise ProviderError(
            ErrorClass.TRANSIENT, f"{where} returned {reply.status_code} with a gzip that cannot be unpacked"
        ) from error
    return raw


def _broken_off(where: str, error: httpx.HTTPError) -> ProviderError:
    """A server that ends the exchange may have crashed on a text; one that replies in TLS has not read any."""
    if isinstance(error, httpx.RemoteProtocolError) and str(error).startswith(_NOT_HTTP):
        said = "does not reply in HTTP: if it speaks TLS, write https:// in the address, otherwise correct the port"
        return ProviderError(ErrorClass.PROVIDER_DOWN, f"{where} {said}")
    return ProviderError(
        ErrorClass.PROVIDER_LOST, f"the exchange with {where} broke off ({type(error).__name__})"
    )


def _late(where: str, deadline: float) -> ProviderError:
    within = f"within {max(deadline, 0.0):.3g} s"
    return ProviderError(ErrorClass.TRANSIENT, f"{where} did not finish its reply {within}")


def seconds_of(retry_after: str | None, date: str | None = None) -> float | None:
    """Retry-After in seconds, from a number or an HTTP date (RFC 9110 §10.2.3); None for anything else. A date is
    measured from the reply's own `date`, so that two clocks need not agree, and from ours if it has none."""
    if not retry_after:
        return None
    with contextlib.suppress(ValueError):
        seconds = float(retry_after)
        return None if math.isnan(seconds) else max(seconds, 0.0)
    moment = _moment(retry_after)
    if moment is None:
        return None
    now = _moment(date or "") or datetime.now(UTC)
    return max((moment - now).total_seconds(), 0.0)


def _moment(http_date: str) -> datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(http_date)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # asctime's form names no zone: it is UTC
