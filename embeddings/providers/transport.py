"""HTTP to providers, with a deadline for the whole exchange and a bound on the reply's size."""

import atexit
import contextlib
import email.utils
import math
import os
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from embeddings.providers import network, peers
from embeddings.providers.endpoint import Endpoint
from embeddings.providers.errors import ErrorClass, ProviderError

CONNECT_SECONDS = 3.0
# this much is never read, however many vectors were requested
MAX_REPLY_BYTES = 160 * 1024 * 1024
_ERROR_BYTES = 64 * 1024

_clients: dict[tuple[int, str, str], httpx.Client] = {}


def client(endpoint: Endpoint) -> httpx.Client:
    """This process's client for endpoints of the same kind: one for all addresses, one for each Unix socket, one for
    each secret. A forked child makes its own. Redirects are refused: URLs come from settings only."""
    kind = (os.getpid(), endpoint.socket, endpoint.secret)
    if kind not in _clients:
        limits = httpx.Limits(max_connections=128, max_keepalive_connections=64, keepalive_expiry=30)
        _clients[kind] = httpx.Client(
            transport=network.Transport(limits, endpoint),
            # a thousand compressed bytes could become a gigabyte
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
        raise ProviderError(ErrorClass.PROVIDER_DOWN, f"{endpoint.where} {_refused(error)}") from error
    except httpx.ConnectTimeout as error:
        raise ProviderError(
            ErrorClass.PROVIDER_DOWN, f"{endpoint.where} did not accept a connection in time"
        ) from error
    except httpx.TimeoutException as error:
        raise _late(endpoint.where, deadline) from error
    except httpx.HTTPError as error:
        raise ProviderError(
            ErrorClass.PROVIDER_LOST, f"the exchange with {endpoint.where} broke off ({type(error).__name__})"
        ) from error


def _exchange(endpoint: Endpoint, body: bytes, ends: float, headers: dict[str, str], most_bytes: int) -> Any:
    timeout = httpx.Timeout(ends - time.monotonic(), connect=CONNECT_SECONDS)
    headers = {"content-type": "application/json", **endpoint.headers, **headers}
    request = client(endpoint).stream("POST", endpoint.url, content=body, headers=headers, timeout=timeout)
    with network.until(ends), request as reply:
        if reply.status_code != httpx.codes.OK:
            raise _refusal(reply, endpoint.where)
        if encoding := _encoding(reply):
            raise _unreadable(reply, endpoint.where, encoding)
        raw = _read(reply, endpoint.where, most_bytes)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ProviderError(
            ErrorClass.TRANSIENT, f"{endpoint.where} returned 200 without valid JSON"
        ) from error


def _refusal(reply: httpx.Response, where: str) -> ProviderError:
    encoding = _encoding(reply)
    body = b"" if encoding else _read(reply, where, _ERROR_BYTES)
    wait = seconds_of(reply.headers.get("retry-after"), reply.headers.get("date"))
    error = error_of(reply.status_code, wait, body, where)
    if encoding and error.kind is ErrorClass.INVALID_INPUT:  # the unread body may mean something else
        return _unreadable(reply, where, encoding)
    return error


def _encoding(reply: httpx.Response) -> str:
    """The body's encoding, empty for identity."""
    encoding: str = reply.headers.get("content-encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


def _unreadable(reply: httpx.Response, where: str, encoding: str) -> ProviderError:
    return ProviderError(
        ErrorClass.TRANSIENT,
        f"{where} returned {reply.status_code} encoded as {encoding[:40]!r} although it was asked not to "
        "encode: check the server or the proxy before it",
    )


def _read(reply: httpx.Response, where: str, limit: int) -> bytearray:
    raw = bytearray()
    for part in reply.iter_raw():
        raw += part
        if len(raw) > limit:
            raise ProviderError(ErrorClass.TRANSIENT, f"{where} returned more than {limit:,} bytes")
    return raw


def _late(where: str, deadline: float) -> ProviderError:
    within = f"within {max(deadline, 0.0):.3g} s"
    return ProviderError(ErrorClass.TRANSIENT, f"{where} did not finish its reply {within}")


def _refused(error: httpx.ConnectError) -> str:
    """The reason why a connection failed, or must not be used."""
    return str(error) if isinstance(error.__cause__, peers.Unreachable) else "refuses connections"


# Wordings of OpenAI, Ollama, vLLM, Text Embeddings Inference, Mistral, Voyage and Cohere, per text or per request.
_TOO_LONG_SIGNS = (
    "context_length",
    "context length",
    "maximum context",
    "maximum length",
    "max_tokens",
    "too long",
    "input is too large",
    "request too large",
    "too many tokens",
    "too many inputs",
    "too_many_inputs",
    "batch size",
    "max allowed tokens",
    "must have less than",
    "total number of texts",
)
# Statuses about the body; every other 4xx is about the request's path, and not the fault of a text.
_REFUSED = (400, 413, 422)
# Not found, method not allowed, proxy authentication, gone, misdirected: the wrong server.
_ELSEWHERE = (404, 405, 407, 410, 421)
# llama.cpp refuses a text that does not fit with a 500
_TOO_LONG_FOR_A_500 = "too large to process"


def error_of(status: int, retry_after: float | None, body: bytes | bytearray, where: str) -> ProviderError:
    """The class of an error reply, from its status and its body. The body itself is not repeated:
    a provider may quote the article in it."""
    text = bytes(body).decode(errors="replace").lower()
    said = f"{where} returned {status}"
    if status in (401, 402, 403) or (status == 429 and "insufficient_quota" in text):
        return ProviderError(ErrorClass.AUTH, f"{said}: check the key, its quota and its payment")
    if status == 429:
        return ProviderError(ErrorClass.RATE_LIMITED, f"{said}: too many requests", retry_after)
    if status in _ELSEWHERE:
        return ProviderError(ErrorClass.PROVIDER_DOWN, f"{said}: check the address and the model's name")
    if status in (502, 503, 504):
        return ProviderError(ErrorClass.PROVIDER_DOWN, f"{said}: it is not ready", retry_after)
    if _is_too_long(status, text):
        return ProviderError(ErrorClass.TOO_LONG, f"{said}: the text or the request is too long")
    if _is_refusal(status):
        return ProviderError(ErrorClass.INVALID_INPUT, f"{said}: it refuses the text")
    return ProviderError(ErrorClass.TRANSIENT, f"{said}: an error of its own")


def _is_too_long(status: int, text: str) -> bool:
    if status == 500:
        return _TOO_LONG_FOR_A_500 in text
    return status == 413 or (_is_refusal(status) and any(sign in text for sign in _TOO_LONG_SIGNS))


def _is_refusal(status: int) -> bool:
    return status in _REFUSED


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
