"""The whole product as `./dev up` starts it, under clients that mean harm."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.asgi import LIMITS
from tests.config.live_processes import free_port
from tests.config.serving.talking import SMALL_BUFFER, Talk, ask, request
from tests.config.stack.stacks import Stack

pytestmark = pytest.mark.slow
TOKEN = b"Authorization: Bearer test-token-with-all-three-scopes-of-a-stack\r\n"
JSON = b"Content-Type: application/json\r\n"


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stack would keep files that are sent to it."""
    return Path(tmp_path_factory.mktemp("spool"))


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, spool: Path) -> Iterator[int]:
    data_dir = tmp_path_factory.mktemp("slow-sockets")
    data_dir.chmod(0o711)
    token = TOKEN.split()[2].decode()
    stack = Stack(data_dir, free_port(), AUTH_TOKEN=token, TMPDIR=str(spool), PUBLIC_RATE_LIMIT="0")
    try:
        stack.await_line("stop    Ctrl-C")
        yield stack.port
    finally:
        stack.end()


def held(count: int, port: int, sent: bytes, buffer: int | None = None) -> contextlib.ExitStack:
    """So many connections that have sent this, and do no more."""
    closing = contextlib.ExitStack()
    for _ in range(count):
        closing.enter_context(Talk(port, sent, buffer=buffer))
    return closing


def test_hundreds_of_slow_sockets_leave_health_and_pages_alone(port: int) -> None:
    for number in range(7):
        article = json.dumps({"title": f"Long {number}", "content": "word " * 190_000}).encode()
        assert ask(port, "/api/articles", "POST", TOKEN + JSON, article)[0] == 201
    with (
        held(200, port, request("/admin/login/", "POST", length=1000, body=b"x")),
        held(200, port, b"GET / HTTP/1.1\r\nHost: localhost\r\n"),
        held(20, port, request("/api/articles/export", headers=TOKEN), SMALL_BUFFER),
    ):
        for _ in range(20):
            started = time.monotonic()
            assert ask(port, "/health")[0] == 200
            assert time.monotonic() - started < 1
        assert ask(port, "/search?q=word&mode=keyword")[0] == 200
        status, _, body = ask(port, "/api/articles/export", headers=TOKEN)
        assert status == 503, "half the threads are left to others"
        assert json.loads(body)["status"] == 503
    assert ask(port, "/health")[0] == 200


def test_an_upload_is_refused_before_it_is_read_and_leaves_no_file(port: int, spool: Path) -> None:
    head = b"Content-Type: multipart/form-data; boundary=b\r\n"
    part = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n' + b"x" * 1_000_000
    with Talk(port, request("/admin/login/", "POST", head, part, 120 * 1024**2)) as talk:
        assert talk.status() == 413
    assert not [file for file in spool.rglob("*") if file.is_file() and file.stat().st_size > 100_000]


@pytest.mark.parametrize("path", ["/api/articles", "/search"])
def test_refusals_are_worded_for_who_asked(port: int, path: str) -> None:
    with Talk(port, request(path, "POST", TOKEN, length=LIMITS.body_bytes + 1)) as talk:
        status, headers, body = talk.answer()
    assert status == 413
    kind = "application/problem+json" if path.startswith("/api/") else "text/plain; charset=utf-8"
    assert headers["content-type"] == kind
    assert body
