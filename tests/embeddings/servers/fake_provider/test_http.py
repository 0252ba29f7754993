"""Requests are read out of bytes however they arrive."""

import pytest

from embeddings.servers.fake_provider.http import MAX_BODY, MAX_HEAD, Reader, Request, Unreadable

POST = b"POST /v1/embeddings?a=b HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Length: 3\r\n\r\nabc"
READ = Request("POST", "/v1/embeddings", b"abc", "a=b")


def reader(*parts: bytes) -> Reader:
    made = Reader()
    for part in parts:
        made.feed(part)
    return made


def test_an_empty_buffer_is_not_a_request_yet() -> None:
    assert Reader().next() is None


@pytest.mark.parametrize("size", [1, 2, 7, 50, 1_000])
def test_a_request_is_read_once_it_is_whole(size: int) -> None:
    made, found = Reader(), []
    for at in range(0, len(POST), size):
        made.feed(POST[at : at + size])
        found.append(made.next())
    assert found[-1] == READ
    assert not any(found[:-1])


def test_requests_that_come_together_are_read_in_turn() -> None:
    made = reader(POST + b"GET / HTTP/1.1\r\n\r\n" + POST[:-1])
    assert [made.next() for _ in range(3)] == [READ, Request("GET", "/", b""), None]
    made.feed(POST[-1:])
    assert made.next() == READ


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9100", "LOCALHOST", "", " 127.0.0.1 "])
def test_programs_of_this_machine_are_answered(host: str) -> None:
    assert reader(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).next()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /\r\n\r\n", 400),
        ("GET / HTTP/1.1 x\r\n\r\n", 400),
        ("\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", 403),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1.example.org\r\n\r\n", 403),
        ("GET / HTTP/1.1\r\nOrigin: http://localhost\r\n\r\n", 403),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        ("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: \r\n\r\n", 400),
        (f"POST / HTTP/1.1\r\nContent-Length: {'9' * 19}\r\n\r\n", 400),
        (f"POST / HTTP/1.1\r\nContent-Length: {MAX_BODY + 1}\r\n\r\n", 413),
        ("GET / HTTP/1.1\r\nX: " + "x" * MAX_HEAD, 431),
    ],
)
def test_an_invalid_request_has_its_status(head: str, status: int) -> None:
    with pytest.raises(Unreadable) as refused:
        reader(head.encode()).next()
    assert refused.value.status == status


def test_a_long_head_is_waited_for_as_long_as_it_fits() -> None:
    assert reader(b"GET / HTTP/1.1\r\nX: " + b"x" * (MAX_HEAD - 100)).next() is None
