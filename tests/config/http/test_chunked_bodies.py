"""Bodies of unsaid length."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest

from config.http.chunked_bodies import with_chunked_bodies


def sent(environ: dict[str, Any]) -> tuple[str | None, bytes]:
    """What the application behind the wrapper is told of a body, and what it can read of it."""
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen.update(environ)
        return [b""]

    with_chunked_bodies(application, max_bytes=10)(environ, lambda *_: None)
    return seen.get("CONTENT_LENGTH"), seen["wsgi.input"].read()


@pytest.mark.parametrize("encoding", ["chunked", "Chunked", "gzip, chunked"])
def test_a_body_in_chunks_gets_its_length(encoding: str) -> None:
    assert sent({"HTTP_TRANSFER_ENCODING": encoding, "wsgi.input": BytesIO(b"12345")}) == ("5", b"12345")


def test_of_a_body_that_is_too_large_just_enough_is_read_to_refuse_it() -> None:
    body = BytesIO(b"x" * 1_000)
    assert sent({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": body}) == ("11", b"x" * 11)
    assert body.tell() == 11


def test_a_body_that_says_its_length_is_left_alone() -> None:
    body = BytesIO(b"12345")
    assert sent({"CONTENT_LENGTH": "5", "wsgi.input": body}) == ("5", b"12345")
    assert sent({"wsgi.input": BytesIO(b"")}) == (None, b"")
