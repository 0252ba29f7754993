"""Writes the fake provider's replies: OpenAI's and Ollama's shapes, their errors, and every fault of them."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus

import numpy as np
import orjson

from embeddings.servers.fake_provider.settings import STATUS_FAULTS, Settings
from embeddings.servers.fake_provider.vectors import Writer

OPENAI, OLLAMA = "openai", "ollama"
_PIECE = 1 << 20
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_DRIPS_A_SECOND = 20


@dataclass(frozen=True)
class Reply:
    """A reply, and its delivery: after `delay` seconds, the body in `drips` every `pace` seconds, filled up with
    `padding` bytes of white space, broken off halfway if `cut`."""

    status: int
    body: bytes
    delay: float = 0.0
    kind: str = "application/json"
    encoding: str = ""
    location: str = ""
    retry_after: str = ""
    drips: int = 1
    pace: float = 0.0
    padding: int = 0
    cut: bool = False
    closes: bool = False

    def pieces(self) -> Iterator[bytes]:
        """The head and the body as they are sent, the head together with the first of the body."""
        end = len(self.body) // 2 if self.cut else len(self.body)
        step = max(1, -(-end // self.drips))
        yield self._head() + self.body[: min(step, end)]
        for start in range(step, end, step):
            yield self.body[start : min(start + step, end)]
        for start in range(0, self.padding, _PIECE):
            yield b" " * min(_PIECE, self.padding - start)

    def _head(self) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status} {_PHRASES.get(self.status, 'Unknown')}",
            f"Content-Type: {self.kind}",
            f"Content-Length: {len(self.body) + self.padding}",
        ]
        if self.encoding:
            lines.append(f"Content-Encoding: {self.encoding}")
        if self.location:
            lines.append(f"Location: {self.location}")
        if self.retry_after:
            lines.append(f"Retry-After: {self.retry_after}")
        if self.closes:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1", "replace")


_STATUS_OF = {"quota": 429, "memory": 500}
_NO_MEMORY = "model requires more system memory (5.6 GiB) than is available (2.1 GiB)"
_ELSEWHERE = "https://embeddings.example.org/v1/embeddings?token=not-to-be-shown"


def packed(reply: Reply) -> Reply:
    """The reply as a gateway sends it that packs everything."""
    if reply.padding:
        return replace(
            reply, body=gzip.compress(reply.body + b" " * reply.padding, 1), padding=0, encoding="gzip"
        )
    return replace(reply, body=gzip.compress(reply.body, 1), encoding="gzip")


def refusal(shape: str, status: int, code: str, message: str) -> Reply:
    """An error as the imitated server words it."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    return Reply(status, orjson.dumps({"error": message if shape == OLLAMA else error}))


def status_fault(shape: str, name: str, settings: Settings) -> Reply:
    """The error of the fault `name`, with Retry-After where servers send one."""
    status = _STATUS_OF.get(name) or int(name)
    message = _NO_MEMORY if name == "memory" else f"The fake provider is set to return {name}."
    reply = refusal(shape, status, STATUS_FAULTS[name], message)
    if status in (301, 308):
        return replace(reply, location=_ELSEWHERE)
    return replace(reply, retry_after=settings.retry_after) if name in ("429", "503") else reply


_INDEXES = {
    "number": b'"index":%d,',
    "null": b'"index":null,',
    "string": b'"index":"%d",',
    "float": b'"index":%d.0,',
    "missing": b"",
}


def embeddings(
    shape: str,
    model: str,
    vectors: list[bytes],
    tokens: int,
    usage: bool,
    fault: str | None,
    index: str = "number",
) -> bytes:
    """A whole reply: `vectors` are JSON already; a fault in the numbering is visible only in OpenAI's shape."""
    name = orjson.dumps(model)
    if shape == OLLAMA:
        end = b',"prompt_eval_count":%d}' % tokens if usage else b"}"
        return b'{"model":%b,"embeddings":[%b]' % (name, b",".join(vectors)) + end
    indexes = list(range(len(vectors)))
    if fault == "reordered":
        indexes.reverse()
        vectors = vectors[::-1]
    if fault == "scrambled_index":
        indexes[-1] = 0 if len(indexes) > 1 else 1
    if fault == "duplicated":
        indexes[-1] = 0
    numbered = _INDEXES[index]
    places = [numbered % number if b"%d" in numbered else numbered for number in indexes]
    item = b'{"object":"embedding",%b"embedding":%b}'
    data = b",".join([item % placed for placed in zip(places, vectors, strict=True)])
    end = b',"usage":{"prompt_tokens":%d,"total_tokens":%d}}' % (tokens, tokens) if usage else b"}"
    return b'{"object":"list","data":[%b],"model":%b' % (data, name) + end


def spoil(vectors: list[bytes], dimensions: int, write: Writer, fault: str | None) -> list[bytes]:
    """The vectors with the fault applied, if it is one of vectors."""
    match fault:
        case "short":
            return vectors[:-1]
        case "duplicated":
            return [*vectors, vectors[0]]
        case "wrong_width":
            return [write(np.full(dimensions - 1, 0.5, np.float32)), *vectors[1:]]
        case "nan":
            return [write(np.full(dimensions, np.nan, np.float32)), *vectors[1:]]
        case "zero":
            return [write(np.zeros(dimensions, np.float32)), *vectors[1:]]
    return vectors


def deliver(body: bytes, delay: float, settings: Settings, fault: str | None) -> Reply:
    """The reply with the fault applied, if it is one of delivery."""
    match fault:
        case "html":
            return Reply(
                200, b"<!doctype html><title>Welcome</title><p>Please sign in.", delay, kind="text/html"
            )
        case "error_200":
            return replace(refusal(OPENAI, 200, "model_error", "The model could not be loaded."), delay=delay)
        case "drip":
            drips = max(2, int(settings.hang_s * _DRIPS_A_SECOND))
            return Reply(200, body, delay, drips=drips, pace=settings.hang_s / drips)
        case "huge":
            return Reply(200, body, delay, padding=max(0, settings.huge_mb * 1024 * 1024 - len(body)))
        case "cut":
            return Reply(200, body, delay, cut=True, closes=True)
    return Reply(200, body, delay)
