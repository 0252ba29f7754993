"""Requests as they reach a WSGI application, and its answers as they reach the client."""

import json
import socket
from hashlib import sha256

import pytest

from config.stack import services
from tests.config.serving.talking import SMALL_BUFFER, Talk, ask, ask_json, request
from tests.waiting import wait_until

pytestmark = pytest.mark.process

MIB = 1024 * 1024


def test_the_environ_is_that_of_pep_3333(port: int) -> None:
    headers = b"X-Two: a\r\nX-Two: b\r\nCookie: c=1\r\nCookie: d=2\r\nContent-Type: text/x\r\n"
    seen = ask_json(port, "/takes/a%2Fb%FF?q=%20", method="POST", headers=headers, body=b"abc")
    assert (
        seen
        | {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/takes/a/b\xff",
            "QUERY_STRING": "q=%20",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_PORT": str(port),
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": "text/x",
            "CONTENT_LENGTH": "3",
            "HTTP_HOST": "localhost",
            "HTTP_X_TWO": "a,b",
            "HTTP_COOKIE": "c=1; d=2",
            "wsgi.url_scheme": "http",
            "body": sha256(b"abc").hexdigest(),
        }
        == seen
    )
    assert "PATH" not in seen, "settings of the process are none of a request's business"


def test_no_header_passes_for_another(port: int) -> None:
    headers = b"X_Forwarded_For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\nProxy: http://evil.example\r\n"
    seen = ask_json(port, "/", headers=headers)
    assert seen["HTTP_X_FORWARDED_FOR"] == "5.6.7.8"
    assert "HTTP_PROXY" not in seen


def test_two_hosts_are_refused(port: int) -> None:
    assert ask(port, "/", headers=b"Host: evil.example\r\n")[0] == 400


def test_a_refusal_is_worded_for_its_path_and_the_page_that_asked(port: int) -> None:
    status, headers, _ = ask(
        port, "/large", method="POST", headers=b"Origin: https://a.example\r\n", body=b"x"
    )
    assert (status, headers["x-refused"]) == (413, "/large for https://a.example")


def test_a_body_in_chunks_gets_its_length(port: int) -> None:
    with Talk(port, request("/takes/", "POST", b"Transfer-Encoding: chunked\r\n")) as talk:
        talk.send(b"3\r\nabc\r\n").send(b"2\r\nde\r\n0\r\n\r\n")
        seen = json.loads(talk.answer()[2])
    assert (seen["CONTENT_LENGTH"], seen["body"]) == ("5", sha256(b"abcde").hexdigest())
    assert "HTTP_TRANSFER_ENCODING" not in seen


MALFORMED = {
    "no size": b"zz\r\nabc\r\n0\r\n\r\n",
    "a size of more than 64 bits": b"ffffffffffffffff0\r\nabc",
    "a bare line end": b"3;a\nb\r\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("chunks", MALFORMED.values(), ids=MALFORMED)
def test_malformed_chunks_are_the_clients_mistake(port: int, chunks: bytes) -> None:
    with Talk(port, request("/takes/", "POST", b"Transfer-Encoding: chunked\r\n") + chunks) as talk:
        status, headers, _ = talk.answer()
        assert (status, headers["connection"]) == (400, "close")
        assert talk.rest() == b""


def test_a_body_that_ends_early_is_the_clients_mistake(port: int) -> None:
    with Talk(port, request("/takes/", "POST", body=b"abc", length=10)) as talk:
        talk.socket.shutdown(socket.SHUT_WR)
        status, headers, body = talk.answer()
    assert (status, headers["connection"]) == (400, "close")
    assert b"broke off" in body


@pytest.mark.parametrize(
    ("size", "status"), [(services.HEADER_BYTES - 1_000, 200), (2 * services.HEADER_BYTES, 431)]
)
def test_headers_are_bounded(port: int, size: int, status: int) -> None:
    """The server looks at its bound after each read, so that up to twice as much may be taken."""
    assert ask(port, "/", headers=b"X-Long: " + b"a" * size + b"\r\n")[0] == status


def test_a_connection_serves_request_after_request(port: int) -> None:
    with Talk(port, request("/takes/1", "POST", body=b"abc") + request("/2")) as talk:  # pipelined
        talk.send(request("/takes/3", "POST", body=b"x" * MIB))
        paths = [json.loads(talk.answer()[2])["PATH_INFO"] for _ in range(3)]
    assert paths == ["/takes/1", "/2", "/takes/3"]


def test_http_1_0_is_served(port: int) -> None:
    with Talk(port, b"GET / HTTP/1.0\r\nHost: x\r\n\r\n") as talk:
        seen = json.loads(talk.answer()[2])
        assert seen["SERVER_PROTOCOL"] == "HTTP/1.0"
        assert talk.rest() == b""


def test_a_client_that_asks_before_it_sends_is_asked_to_go_on(port: int) -> None:
    with Talk(port, request("/takes/", "POST", b"Expect: 100-continue\r\n", length=3)) as talk:
        assert talk.status() == 100
        assert talk.send(b"abc").status() == 200


def test_and_refused_before_it_sends_too_much(port: int) -> None:
    with Talk(port, request("/takes/", "POST", b"Expect: 100-continue\r\n", length=10**9)) as talk:
        assert talk.status() == 413


@pytest.mark.parametrize("path", ["/large?size=100", f"/large?size={MIB // 2}"])
def test_the_answer_to_head_has_no_body(port: int, path: str) -> None:
    with Talk(port, request(path, "HEAD") + request("/no-content")) as talk:
        head = talk.socket.recv(4_096)
        assert head.startswith(b"HTTP/1.1 200")
        assert f"content-length: {path.partition('=')[2]}".encode() in head
        rest = head.partition(b"\r\n\r\n")[2] or talk.socket.recv(4_096)
        assert rest.startswith(b"HTTP/1.1 204")
        assert b"must not" not in rest


@pytest.mark.parametrize("size", [0, 65_536, 65_537, MIB, 5 * MIB])
def test_answers_of_every_size_arrive_whole(port: int, size: int) -> None:
    assert len(ask(port, f"/large?size={size}")[2]) == size


def test_a_long_stream_arrives_whole(port: int) -> None:
    with Talk(port, request("/stream?size=10240000", headers=b"Connection: close\r\n")) as talk:
        answer = talk.rest()
    assert answer.count(b"Y") == 10_240_000
    assert answer.endswith(b"0\r\n\r\n")


def test_an_application_that_fails_answers_500(port: int) -> None:
    status, _, body = ask(port, "/fail-first")
    assert (status, body) == (500, b"something went wrong here; it has been logged")
    assert ask(port, "/stream-failing?size=10240")[0] == 500


def test_a_stream_that_fails_in_its_midst_does_not_pass_for_a_whole_one(port: int) -> None:
    with Talk(port, request("/stream-failing?size=10240000", headers=b"Connection: close\r\n")) as talk:
        assert not talk.rest().endswith(b"0\r\n\r\n")


def test_a_stream_is_closed_in_the_thread_that_made_it(port: int) -> None:
    def closed(where: str) -> int:
        return int(ask_json(port, "/counted").get(f"closed {where}", 0))

    before = closed("in its thread")
    for path in ("/stream?size=10240", "/stream?size=10240000", "/stream-failing?size=10240000"):
        with Talk(port, request(path, headers=b"Connection: close\r\n")) as talk:
            talk.rest()
    with Talk(port, request("/stream?size=102400000"), buffer=SMALL_BUFFER) as talk:
        talk.socket.recv(12)  # and leaves without reading more
    wait_until(lambda: closed("in its thread") == before + 4, 10)
    assert closed("elsewhere") == 0
