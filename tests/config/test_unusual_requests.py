"""Requests as few programs send them, against a running stack: each gets its status, none an error or a hang."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.live_processes import free_port
from tests.config.serving.talking import Talk
from tests.config.stack.stacks import Stack

pytestmark = pytest.mark.slow
TOKEN = "a-token-of-the-tests-of-requests-0123456789"
HOST = b"Host: localhost\r\n"
CALLER = HOST + f"Authorization: Bearer {TOKEN}\r\n".encode()
JSON = b"Content-Type: application/json\r\n"
END = b"Connection: close\r\n\r\n"
BODY = b'{"query":"water","mode":"keyword"}'
CHUNKS = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:7], BODY[7:])) + b"0\r\n\r\n"
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def get(path: bytes, headers: bytes = HOST, version: bytes = b"1.1") -> bytes:
    return b"GET %s HTTP/%s\r\n%s%s" % (path, version, headers, END)


def search(
    body: bytes = BODY, headers: bytes = JSON, version: bytes = b"1.1", length: int | None = -1
) -> bytes:
    counted = b"" if length is None else b"Content-Length: %d\r\n" % (len(body) if length < 0 else length)
    return b"POST /api/search HTTP/%s\r\n%s%s%s%s%s" % (version, CALLER, headers, counted, END, body)


REQUESTS: dict[str, tuple[bytes, list[int]]] = {
    "Latin-1": (search('{"query":"ä"}'.encode("latin-1")), [400]),
    "UTF-16": (search(BODY.decode().encode("utf-16")), [400]),
    "half a character": (search(b'{"query":"\\ud800"}'), [400]),
    "half a character beside a long number": (search(b'{"query":"1234567890123456789 \\ud800"}'), [400]),
    "very deep": (search(b'{"query":' + b"[" * 100_000), [400]),
    "very deep beside a long number": (
        search(b'{"filter":' + b'{"a":' * 100_000 + b"1234567890123456789"),
        [400],
    ),
    "without a type": (search(headers=b""), [415]),
    "a form": (search(headers=b"Content-Type: multipart/form-data\r\n"), [415]),
    "bytes for a type": (search(headers=b"Content-Type: \xff\xfe\r\n"), [415]),
    "another charset": (search(headers=b"Content-Type: application/json; charset=nonsense\r\n"), [200]),
    "compressed": (search(headers=JSON + b"Content-Encoding: gzip\r\n"), [415]),
    "chunked": (search(CHUNKS, JSON + CHUNKED, length=None), [200]),
    "chunked, with a length": (search(CHUNKS, JSON + CHUNKED), [200]),
    "broken chunks": (search(b"zz\r\nabc\r\n", JSON + CHUNKED, length=None), [400]),
    "two lengths": (search(headers=JSON + b"Content-Length: 3\r\n"), [400]),
    "Expect: 100-continue": (search(headers=JSON + b"Expect: 100-continue\r\n"), [100, 200]),
    "Expect, and too large": (search(headers=JSON + b"Expect: 100-continue\r\n", length=99_999_999), [413]),
    "HTTP/1.0": (search(version=b"1.0"), [200]),
    "HTTP/1.0 without a host": (b"GET /health HTTP/1.0\r\n\r\n", [200]),
    "HTTP/1.0, a stream": (get(b"/api/articles/export", CALLER, b"1.0"), [200]),
    "by address": (get(b"/health", b"Host: 10.0.0.5\r\n"), [200]),
    "no host": (get(b"/", b""), [400]),
    "a host that is none": (get(b"/", b"Host: a b\r\n"), [400]),
    "pipelined": (get(b"/health").replace(END, b"\r\n") * 2 + search(), [200, 200, 200]),
    "HEAD, then GET": (b"HEAD /api/openapi.json HTTP/1.1\r\n" + HOST + b"\r\n" + get(b"/health"), [200, 200]),
    "OPTIONS": (b"OPTIONS /api/search HTTP/1.1\r\n" + HOST + END, [405]),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\n" + HOST + END, [404]),
    "an upgrade": (get(b"/health", HOST + b"Upgrade: h2c\r\n"), [200]),
    "an absolute address": (get(b"http://localhost/health"), [200]),
    "escapes that are none": (get(b"/articles/%zz%ff%00"), [404]),
    "bytes in the path": (get("/articles/ä".encode()), [404]),
    "bytes in a cookie": (get(b"/admin/", HOST + b"Cookie: sessionid=\xff\x80; a\r\n"), [302]),
    "bytes in a token": (get(b"/api/articles", HOST + b"Authorization: Bearer \xff\r\n"), [401]),
    "a body that nothing reads": (
        b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n" + END + b"abc",
        [413],
    ),
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with tempfile.TemporaryDirectory(prefix="vectorpress-test-") as folder:
        Path(folder).chmod(0o755)
        found = free_port()
        stack = Stack(Path(folder) / "var", found, AUTH_TOKEN=TOKEN, SEMANTIC_SEARCH_ENABLED="false")
        try:
            stack.await_line("stop    Ctrl-C")
            yield found
            assert "Traceback" not in stack.output
        finally:
            stack.end()


@pytest.mark.parametrize("name", REQUESTS)
def test_an_unusual_request_gets_its_status(port: int, name: str) -> None:
    sent, wanted = REQUESTS[name]
    with Talk(port, sent) as talk:
        replies = STATUS.findall(talk.rest())
    assert [int(status) for status in replies] == wanted
