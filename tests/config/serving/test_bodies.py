"""What a request's headers say of its body, and how the body is read; test_slow_clients.py has it over the network."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

import pytest

from config.serving import bodies
from config.serving.answers import RefusedError
from config.serving.bodies import UNCOUNTED_BYTES, announced, check, discard, left, read
from config.serving.limits import Limits
from config.serving.transfers import Transfers

LIMITS = Limits(threads=1, body_bytes=300_000, body_seconds=5.0)
TAKING = ("/api/", "/admin/")


def part(data: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


LEFT = {"type": "http.disconnect"}


def receive_of(messages: Iterable[dict[str, Any]]) -> Callable[[], Awaitable[dict[str, Any]]]:
    """A `receive` that says these in turn, and then nothing any more."""
    rest = iter(messages)

    async def receive() -> dict[str, Any]:
        for message in rest:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    return receive


def read_all(messages: Iterable[dict[str, Any]], length: int | None, limits: Limits = LIMITS) -> bytes:
    async def work() -> bytes:
        transfer = Transfers(limits.held_bytes).begin(limits.body_seconds)
        try:
            return await read(receive_of(messages), length, transfer, limits)
        finally:
            transfer.release()

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ([], 0),
        ([(b"content-length", b"0")], 0),
        ([(b"content-length", b"17")], 17),
        ([(b"content-length", b"9" * 18)], int("9" * 18)),
        ([(b"transfer-encoding", b"chunked")], None),
        ([(b"content-length", b"17"), (b"transfer-encoding", b"chunked")], None),
    ],
)
def test_the_length_is_as_announced_and_chunks_come_first(
    headers: list[tuple[bytes, bytes]], length: int | None
) -> None:
    assert announced({"headers": headers}) == length


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b" 1", b"1.0", b"0x1", b"one", b"9" * 19, "٣".encode()])
def test_a_length_that_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        announced({"headers": [(b"content-length", value)]})
    assert refused.value.status == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    ("method", "path", "length"),
    [("GET", "/anything", 0), ("POST", "/api/x", 300_000), ("PUT", "/admin/", None), ("DELETE", "/api/", 1)],
)
def test_a_body_is_accepted_where_it_is_read(method: str, path: str, length: int | None) -> None:
    check({"method": method}, path, length, LIMITS, TAKING)


@pytest.mark.parametrize(
    ("method", "path", "length"),
    [
        ("GET", "/api/x", 1),
        ("GET", "/api/x", None),
        ("POST", "/", 1),
        ("POST", "/apix", 1),
        ("POST", "/health", None),
        ("POST", "/api/x", 300_001),
        ("TRACE", "/api/x", 1),
    ],
)
def test_a_body_that_nobody_reads_or_that_is_too_large_is_refused(
    method: str, path: str, length: int | None
) -> None:
    with pytest.raises(RefusedError) as refused:
        check({"method": method}, path, length, LIMITS, TAKING)
    assert refused.value.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@pytest.mark.parametrize(
    ("messages", "length", "body"),
    [
        ([], 0, b""),
        ([part(b"abc")], 3, b"abc"),
        ([part(b"ab", more=True), part(b"c")], None, b"abc"),
        ([part(b"", more=True), part(b"abc", more=True)], 3, b"abc"),  # nothing more is awaited
        ([{"type": "http.request"}], None, b""),
        ([part(b"x" * 299_999, more=True), part(b"y")], 300_000, b"x" * 299_999 + b"y"),
    ],
)
def test_a_body_is_read_to_its_length_or_its_end(
    messages: list[dict[str, Any]], length: int | None, body: bytes
) -> None:
    assert read_all(messages, length) == body


@pytest.mark.parametrize(
    ("messages", "length", "status"),
    [
        ([part(b"a", more=True), LEFT], 5, HTTPStatus.BAD_REQUEST),
        ([LEFT], None, HTTPStatus.BAD_REQUEST),
        ([part(b"x" * 300_001)], None, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ([part(b"x" * 200_000, more=True)] * 2, None, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    ],
)
def test_a_body_that_breaks_off_or_grows_too_large_is_refused(
    messages: list[dict[str, Any]], length: int | None, status: HTTPStatus
) -> None:
    with pytest.raises(RefusedError) as refused:
        read_all(messages, length)
    assert refused.value.status == status


def test_a_pause_that_is_too_long_is_a_request_that_timed_out() -> None:
    with pytest.raises(RefusedError) as refused:
        read_all([part(b"a", more=True)], 5, Limits(threads=1, body_bytes=10, body_seconds=0.02))
    assert refused.value.status == HTTPStatus.REQUEST_TIMEOUT


def test_only_what_is_not_small_counts_as_held() -> None:
    async def work(size: int) -> int:
        transfer = Transfers(LIMITS.held_bytes).begin(LIMITS.body_seconds)
        await read(receive_of([part(b"x" * size)]), size, transfer, LIMITS)
        return transfer.size

    assert asyncio.run(work(UNCOUNTED_BYTES)) == 0
    assert asyncio.run(work(UNCOUNTED_BYTES + 1)) == UNCOUNTED_BYTES + 1


def test_after_a_refusal_it_is_read_on_to_the_end_or_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_LINGER_SECONDS", 0.02)
    monkeypatch.setattr(bodies, "_LINGER_BYTES", 10)
    asyncio.run(discard(receive_of([part(b"abc", more=True), part(b"")])))
    asyncio.run(discard(receive_of([LEFT])))
    asyncio.run(discard(receive_of([part(b"abc", more=True)])))  # then silence
    asyncio.run(discard(receive_of([part(b"x" * 5, more=True)] * 2)))  # as much as is taken


def test_a_client_has_left_when_no_message_is_of_its_request() -> None:
    asyncio.run(left(receive_of([part(b"a", more=True), part(b""), LEFT])))
