"""Clients that are slow, never finish, or send more than anybody needs."""

import contextlib
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from drills.attack.target import LOOPBACK, Target

_ATTACKER = "127.66.0.1"
_SOCKETS = 200
_READERS = 20
_UPLOAD_BYTES = 120 * 1024 * 1024
_PIECE = 64 * 1024
_ASKED = 400


def slow_bodies(target: Target) -> list[str]:
    """Bodies that are announced and do not come."""
    head = (
        f"POST /admin/login/ HTTP/1.1\r\nHost: {LOOPBACK}:{target.port}\r\nCookie: csrftoken={_cookie(target)}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n0123456789"
    )
    with _held(target, head.encode(), _SOCKETS):
        return target.slow_health() + _no_page(target)


def slow_headers(target: Target) -> list[str]:
    """Requests that stop before the end of their headers."""
    with _held(target, f"GET / HTTP/1.1\r\nHost: {LOOPBACK}:{target.port}\r\nX-".encode(), _SOCKETS):
        return target.slow_health() + _no_page(target)


def slow_pages(target: Target) -> list[str]:
    """Bodies where none is taken."""
    head = f"POST /search HTTP/1.1\r\nHost: {LOOPBACK}:{target.port}\r\nContent-Length: 100000\r\n\r\n0"
    with _held(target, head.encode(), _SOCKETS):
        return target.slow_health() + _no_page(target)


def unread_exports(target: Target) -> list[str]:
    """Readers of an export who do not read."""
    with target.api() as api:
        for number in range(24):
            body = {
                "title": f"Long {number}",
                "slug": f"long-{number}",
                "content": f"{number} long " * 60_000,
            }
            api.put(f"/api/articles/long-{number}", json=body) if number else api.post(
                "/api/articles", json=body
            )
    head = (
        f"GET /api/articles/export HTTP/1.1\r\nHost: {LOOPBACK}:{target.port}\r\n"
        f"Authorization: Bearer {target.token}\r\n\r\n"
    )
    with _held(target, head.encode(), _READERS, receive_buffer=4_096):
        return target.slow_health() + _no_page(target)


def endless_upload(target: Target) -> list[str]:
    """A file of 120 MB sent to a form that takes none."""
    before = _large_files()
    boundary = "b" * 16
    opening = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Cookie": f"csrftoken={_cookie(target)}",
        "Content-Length": str(len(opening) + _UPLOAD_BYTES),
    }
    seen: set[Path] = set()
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        yield opening
        for _ in range(_UPLOAD_BYTES // _PIECE):
            seen.update(_large_files() - before)
            sent += _PIECE
            yield b"x" * _PIECE

    status = 0
    with contextlib.suppress(httpx.HTTPError), target.client() as client:
        status = client.post("/admin/login/", content=pieces(), headers=headers).status_code
    got = [f"{sorted(map(str, seen))} were written"] if seen else []
    got += [f"it was answered {status}"] if status not in (0, 400, 413) else []
    return got + ([f"{sent:,} bytes were read"] if sent > _UPLOAD_BYTES // 2 else [])


def _cookie(target: Target) -> str:
    """The token of a form's page; without it a form is refused unread."""
    with target.client() as client:
        return str(client.get("/admin/login/").cookies["csrftoken"])


def flood_of_health(target: Target) -> list[str]:
    """Anybody may request /health, so it must cost little."""
    began = time.monotonic()
    with target.client() as client:
        statuses = {client.get("/health").status_code for _ in range(_ASKED)}
    seconds = time.monotonic() - began
    wrong = [f"it was answered {sorted(statuses)}"] if statuses != {200} else []
    return wrong + ([f"{_ASKED} took {seconds:.1f} s"] if seconds > _ASKED * 0.02 else [])


@contextlib.contextmanager
def _held(target: Target, data: bytes, count: int, receive_buffer: int = 0) -> Iterator[None]:
    """So many connections that have sent this, and send and read no more."""
    with contextlib.ExitStack() as closing:
        for _ in range(count):
            connection = closing.enter_context(socket.socket())
            if receive_buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            connection.bind((_ATTACKER, 0))
            connection.settimeout(5)
            with contextlib.suppress(OSError):  # refused: as good as any other defence
                connection.connect((LOOPBACK, target.port))
                connection.sendall(data)
        yield


def _no_page(target: Target) -> list[str]:
    """A sentence where a reader gets no page any more."""
    began = time.monotonic()
    try:
        with target.client() as client:
            status = client.get("/search?q=anything&mode=keyword", timeout=10).status_code
    except httpx.HTTPError as error:
        return [f"a reader got no page within 10 s ({type(error).__name__})"]
    seconds = time.monotonic() - began
    return [f"a reader got {status} after {seconds:.1f} s"] if status != 200 or seconds > 5 else []


def _large_files() -> set[Path]:
    """Files of a megabyte and more where uploads are spooled to."""
    found = set()
    for path in Path(tempfile.gettempdir()).glob("*upload*"):
        with contextlib.suppress(OSError):
            if path.stat().st_size > 1024 * 1024:
                found.add(path)
    return found


ATTACKS: dict[str, Callable[[Target], list[str]]] = {
    f"{_SOCKETS} unfinished bodies": slow_bodies,
    f"{_SOCKETS} unfinished headers": slow_headers,
    f"{_SOCKETS} bodies where none is taken": slow_pages,
    f"{_READERS} readers of an export who do not read": unread_exports,
    "an upload of 120 MB": endless_upload,
    f"{_ASKED} questions for /health": flood_of_health,
}
