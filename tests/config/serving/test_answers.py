"""Answers of the server itself."""

from http import HTTPStatus

import pytest

from config.serving.answers import RETRY_SECONDS, RefusedError, answer, busy, in_plain_text


@pytest.mark.parametrize("status", [HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_TIMEOUT])
def test_a_refusal_ends_its_connection_and_is_kept_by_nobody(status: HTTPStatus) -> None:
    headers = RefusedError(status, "why").headers
    assert (headers["Connection"], headers["Cache-Control"]) == ("close", "no-store")
    assert "Retry-After" not in headers


def test_what_is_busy_says_when_to_come_back() -> None:
    error = busy("too much at once")
    assert error.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert error.headers["Retry-After"] == str(RETRY_SECONDS)
    assert "too much at once" in error.detail


def test_a_refusal_in_plain_text_has_its_length_in_bytes() -> None:
    found = in_plain_text(RefusedError(HTTPStatus.BAD_REQUEST, "ä"), "/", "")
    named = dict(found.headers)
    assert (found.status, found.body) == (400, "ä".encode())
    assert named[b"content-length"] == b"2"
    assert named[b"content-type"].startswith(b"text/plain")
    assert named[b"connection"] == b"close"


def test_headers_of_ones_own_come_before_the_usual_ones() -> None:
    found = answer(200, b"abc", "text/html", {"Content-Type": "a/b", "X": "\xe4"})
    assert dict(found.headers) == {b"content-type": b"a/b", b"content-length": b"3", b"x": b"\xe4"}
