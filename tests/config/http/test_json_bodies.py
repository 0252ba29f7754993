"""JSON in and out: exact where speed would change a value."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.test import RequestFactory
from ninja.errors import HttpError

from config.http.json_bodies import JsonParser, JsonRenderer, dump, parse


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"null", None),
        (b"{}", {}),
        (b' {"a": [1, 2.5, true, "\xc3\xa4"]} ', {"a": [1, 2.5, True, "ä"]}),
        (b'"\\ud83d\\ude42"', "\U0001f642"),
        (b"18446744073709551616", 2**64),
        (b"-9223372036854775809", -(2**63) - 1),
        (b"[9007199254740993]", [9007199254740993]),
        (b'{"a": "1234567890123456789"}', {"a": "1234567890123456789"}),
    ],
)
def test_a_value_is_what_was_sent(body: bytes, value: Any) -> None:
    found = parse(body)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"[1,]", b"{'a': 1}", b"NaN", b"Infinity", b"[NaN, 1234567890123456789]", b"\xff", b'"\xff"',
        b'"\xff 1234567890123456789"', b"01", b"1 2", b"\xef\xbb\xbf{}", b"[" * 100_000,
        b"[1234567890123456789" * 100_000,
        b"nul", b'{"a": 1} x', b"\x00",
        b'"\\ud800"', b'["\\ud800", 1234567890123456789]', b'{"\\udc00": "1234567890123456789"}',
        b"1e400", b"[1e400, 1234567890123456789]",
    ],
)  # fmt: skip
def test_invalid_json_is_a_bad_request_in_a_short_sentence(body: bytes) -> None:
    with pytest.raises(HttpError) as refused:
        parse(body)
    assert refused.value.status_code == 400
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"a": "ä"}'.encode("latin-1"), "byte 8 is not UTF-8, in which JSON is sent"),
        ('{"a": "ä", "b": 1234567890123456789}'.encode("latin-1"), "byte 8 is not UTF-8"),
        ("{}".encode("utf-16"), "byte 1 is not UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"[" * 100_000, "recursion|nested|depth"),
    ],
)
def test_a_refusal_says_what_is_wrong_with_the_body(body: bytes, says: str) -> None:
    with pytest.raises(HttpError, match=says):
        parse(body)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"a": "ä"}, '{"a":"ä"}'.encode()),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), b'"2026-01-02T03:04:05Z"'),
        (datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=2))), b'"2026-01-02T00:00:00+02:00"'),
        (2**64 - 1, b"18446744073709551615"),
        (2**70, b"1180591620717411303424"),
        ("\ud800", b'"\\ud800"'),
    ],
)
def test_whatever_a_client_sent_can_be_answered(value: Any, written: bytes) -> None:
    assert dump(value) == written


def test_deep_nesting_is_written() -> None:
    value: Any = []
    for _ in range(300):
        value = [value]
    assert parse(dump(value)) == value


def request(content_type: str, body: bytes = b'{"a": 1}') -> Any:
    return RequestFactory().generic("POST", "/", body, content_type=content_type)


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"]
)
def test_a_body_that_says_it_is_json_is_read(content_type: str) -> None:
    assert JsonParser().parse_body(request(content_type)) == {"a": 1}


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/jsonp", "x" * 10_000])
def test_another_content_type_is_refused_and_named_in_short(content_type: str) -> None:
    with pytest.raises(HttpError) as refused:
        JsonParser().parse_body(request(content_type))
    assert refused.value.status_code == 415
    assert len(str(refused.value)) < 300


def test_the_renderer_writes_json() -> None:
    renderer = JsonRenderer()
    assert renderer.render(request(""), {"a": None}, response_status=200) == b'{"a":null}'
    assert renderer.media_type == "application/json"


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "identity, gzip", "br", "x" * 10_000])
def test_a_compressed_body_is_refused_and_its_encoding_named_in_short(encoding: str) -> None:
    sent = RequestFactory().post("/", b"{}", "application/json", headers={"content-encoding": encoding})
    with pytest.raises(HttpError, match="must not be compressed") as refused:
        JsonParser().parse_body(sent)
    assert refused.value.status_code == 415
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_a_body_that_says_it_is_not_compressed_is_read(encoding: str) -> None:
    sent = RequestFactory().post("/", b"{}", "application/json", headers={"content-encoding": encoding})
    assert JsonParser().parse_body(sent) == {}
