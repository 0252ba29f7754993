"""A WSGI application for tests of the application server, with deadlines short enough to wait for."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

from config.serving import connections
from config.serving.answers import Answer, RefusedError, in_plain_text
from config.serving.front import Front
from config.serving.limits import KIB, MIB, Limits

LIMITS = Limits(
    threads=4,
    waiting=24,
    body_bytes=2 * MIB,
    body_seconds=0.8,
    body_bytes_per_second=1_000_000,
    held_bytes=6 * MIB,
    write_seconds=1.0,
    urgent_seconds=0.5,
)
_counts: dict[str, int] = Counter()
_released = threading.Event()


def wsgi(environ: dict[str, Any], start_response: Any) -> Any:
    path = environ["PATH_INFO"]
    _counts[path] += 1
    query = parse_qs(environ["QUERY_STRING"])
    return _VIEWS.get(path, _environ)(environ, start_response, int(query.get("size", ["0"])[0]))


def _environ(environ: dict[str, Any], start_response: Any, size: int) -> list[bytes]:
    plain = {name: value for name, value in environ.items() if isinstance(value, str)}
    return _json(start_response, plain | {"body": sha256(environ["wsgi.input"].read()).hexdigest()})


def _counted(environ: dict[str, Any], start_response: Any, size: int) -> list[bytes]:
    return _json(start_response, _counts | {"busy": application.pool.busy})


def _wait(environ: dict[str, Any], start_response: Any, size: int) -> list[bytes]:
    _released.wait(30)
    return _json(start_response, {})


def _wait_briefly(environ: dict[str, Any], start_response: Any, size: int) -> list[bytes]:
    _released.wait(0.5)
    return _json(start_response, {})


def _release(environ: dict[str, Any], start_response: Any, size: int) -> list[bytes]:
    _released.set()
    _released.clear()
    return _json(start_response, {})


def _large(environ: dict[str, Any], start_response: Any, size: int) -> list[bytes]:
    start_response("200 OK", [("Content-Length", str(size))])
    return [b"x" * size]


def _no_content(environ: dict[str, Any], start_response: Any, size: int) -> list[bytes]:
    start_response("204 No Content", [("X-Kind", "none")])
    return [b"must not be sent"]


def _fail_first(environ: dict[str, Any], start_response: Any, size: int) -> list[bytes]:
    raise LookupError("before the answer")


class _Stream:
    """Pieces of 10 KiB, of which the last may be an error; counts in which thread it was made and closed."""

    def __init__(self, size: int, fails: bool) -> None:
        self._size = size
        self._fails = fails
        self._thread = threading.get_ident()

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self._size // (10 * KIB)):
            yield b"Y" * 10 * KIB
        if self._fails:
            raise LookupError("in the midst of the answer")

    def close(self) -> None:
        _counts["closed in its thread" if threading.get_ident() == self._thread else "closed elsewhere"] += 1


def _stream(environ: dict[str, Any], start_response: Any, size: int) -> _Stream:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return _Stream(size, fails=environ["PATH_INFO"] == "/stream-failing")


def _json(start_response: Any, value: dict[str, Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(value).encode()]


_VIEWS: dict[str, Any] = {
    "/counted": _counted,
    "/wait": _wait,
    "/stuck": _wait,
    "/brief": _wait_briefly,
    "/release": _release,
    "/free": _release,
    "/large": _large,
    "/no-content": _no_content,
    "/fail-first": _fail_first,
    "/stream": _stream,
    "/stream-failing": _stream,
}


def _refuse(error: RefusedError, path: str, origin: str) -> Answer:
    found = in_plain_text(error, path, origin)
    return found._replace(headers=[*found.headers, (b"x-refused", f"{path} for {origin}".encode())])


_LATE = Answer(503, [], b"late")
connections.allow()
connections.end_unread(LIMITS.write_seconds)
application = Front(
    wsgi, LIMITS, ("/takes/", "/wait"), dict.fromkeys(("/counted", "/release", "/stuck"), _LATE), _refuse
)
