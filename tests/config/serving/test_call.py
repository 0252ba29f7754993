"""One call of an application: short answers are whole, long ones are streams, and each is closed."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from config.serving.answers import Answer, Headers
from config.serving.call import Call
from config.serving.reply import PIECE


class Sent:
    """A stream that keeps what it is given."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = []
        self.pieces: list[bytes] = []
        self.is_ended = self.is_left = False

    def __enter__(self) -> "Sent":
        return self

    def __exit__(self, *_: object) -> None:
        self.is_left = True

    def start(self, status: int, headers: Headers) -> None:
        self.status, self.headers = status, headers

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def end(self, data: bytes) -> None:
        self.pieces.append(data)
        self.is_ended = True


class Body:
    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces

    def close(self) -> None:
        self.closed += 1


def called(
    pieces: Iterable[bytes], *, status: str = "200 OK", method: str = "GET", read_ahead: int = 10
) -> tuple[Answer | None, Sent, Body]:
    body, sent = Body(pieces), Sent()

    def application(_: dict[str, Any], start_response: Any) -> Body:
        start_response(status, [("X-Kind", "Ä")])
        return body

    call = Call(application, {"REQUEST_METHOD": method}, read_ahead, lambda: sent)  # type: ignore[arg-type, return-value]
    return call.run(), sent, body


@pytest.mark.parametrize("pieces", [[], [b""], [b"abc"], [b"ab", b"", b"c"], [b"x" * 10], [b"x" * 50]])
def test_a_short_answer_or_one_of_a_single_piece_is_whole(pieces: list[bytes]) -> None:
    answer, sent, body = called(pieces)
    assert answer == Answer(200, [(b"x-kind", b"\xc4")], b"".join(pieces))
    assert (sent.pieces, body.closed) == ([], 1)


def test_more_than_is_read_ahead_is_a_stream_in_pieces_of_one_size() -> None:
    data = [b"a" * 11, b"b" * PIECE, b"", b"c" * (2 * PIECE), b"d"]
    answer, sent, body = called(data)
    assert answer is None
    assert b"".join(sent.pieces) == b"".join(data)
    assert {len(piece) for piece in sent.pieces[:-1]} == {PIECE}
    assert (sent.status, sent.is_ended, sent.is_left, body.closed) == (200, True, True, 1)


@pytest.mark.parametrize(
    ("status", "method"), [("204 No Content", "GET"), ("304 Not", "GET"), ("200 OK", "HEAD")]
)
def test_what_has_no_body_gets_none(status: str, method: str) -> None:
    answer, sent, body = called([b"x" * 100] * 100, status=status, method=method)
    assert answer is not None
    assert (answer.status, answer.body, sent.pieces, body.closed) == (int(status[:3]), b"", [], 1)


def failing(*pieces: bytes) -> Iterator[bytes]:
    yield from pieces
    raise LookupError("in the midst")


@pytest.mark.parametrize("pieces", [[], [b"a"], [b"x" * 20, b"y"]])
def test_a_body_that_fails_is_closed_and_never_ended(pieces: list[bytes]) -> None:
    body, sent = Body(failing(*pieces)), Sent()

    def application(_: dict[str, Any], start_response: Any) -> Body:
        start_response("200 OK", [])
        return body

    call = Call(application, {"REQUEST_METHOD": "GET"}, 10, lambda: sent)  # type: ignore[arg-type, return-value]
    with pytest.raises(LookupError):
        call.run()
    assert (body.closed, sent.is_ended) == (1, False)
    assert call.is_streaming is (len(pieces) == 2)


def run(application: Any) -> Answer | None:
    return Call(application, {"REQUEST_METHOD": "GET"}, 10, Sent).run()  # type: ignore[arg-type]


def test_an_application_that_never_starts_its_answer_is_an_error() -> None:
    with pytest.raises(RuntimeError):
        run(lambda environ, start_response: [b"a"])


def test_a_second_start_needs_an_error_and_then_counts() -> None:
    def twice(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        start_response("200 OK", [])
        return []

    def corrected(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X", "a")])
        start_response("500 Error", [("Y", "b")], (LookupError, LookupError(), None))
        return [b"sorry"]

    with pytest.raises(RuntimeError):
        run(twice)
    assert run(corrected) == Answer(500, [(b"y", b"b")], b"sorry")


def test_what_is_written_the_old_way_comes_first() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])(b"old ")
        return [b"new"]

    assert run(application) == Answer(200, [], b"old new")
