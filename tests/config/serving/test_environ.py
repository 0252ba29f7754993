"""The environ that an application gets of a request."""

from collections.abc import Mapping
from typing import Any

import pytest

from config.serving import environ as module
from config.serving.answers import RefusedError
from config.serving.environ import environ_of, origin_of, path_of


def scope(*headers: tuple[bytes, bytes], **fields: Any) -> Mapping[str, Any]:
    return {
        "method": "GET",
        "scheme": "https",
        "http_version": "1.1",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "server": ("h", 5000),
        "client": ("203.0.113.9", 4711),
        "headers": headers,
    } | fields


def test_who_asks_what_of_whom() -> None:
    found = environ_of(scope(method="POST", query_string=b"a=\xff&b=%20"), b"body")
    assert {name: found[name] for name in ("REQUEST_METHOD", "QUERY_STRING", "SERVER_NAME", "SERVER_PORT")} == {
        "REQUEST_METHOD": "POST", "QUERY_STRING": "a=\xff&b=%20", "SERVER_NAME": "h", "SERVER_PORT": "5000",
    }  # fmt: skip
    assert (found["REMOTE_ADDR"], found["REMOTE_PORT"]) == ("203.0.113.9", "4711")
    assert (found["wsgi.url_scheme"], found["SERVER_PROTOCOL"]) == ("https", "HTTP/1.1")
    assert (found["CONTENT_LENGTH"], found["wsgi.input"].read()) == ("4", b"body")


@pytest.mark.parametrize("fields", [{"server": None, "client": None}, {"server": (), "client": ()}])
def test_a_connection_without_addresses_has_empty_ones(fields: dict[str, Any]) -> None:
    found = environ_of(scope(**fields), b"")
    assert (found["SERVER_NAME"], found["REMOTE_ADDR"]) == ("", "")


@pytest.mark.parametrize(
    ("version", "protocol"), [("1.0", "HTTP/1.0"), ("1.1", "HTTP/1.1"), ("2", "HTTP/2.0")]
)
def test_the_protocol_has_two_numbers(version: str, protocol: str) -> None:
    assert environ_of(scope(http_version=version), b"")["SERVER_PROTOCOL"] == protocol


@pytest.mark.parametrize(
    ("raw", "path", "found"),
    [
        (b"/", "/", "/"),
        (b"/a%20b", "/a b", "/a b"),
        (b"/%C3%A4", "/ä", "/\xc3\xa4"),
        (b"/a%2Fb", "/a/b", "/a/b"),
        (b"/%", "/%", "/%"),
        (b"/%00", "/\x00", "/\x00"),
        (b"/\xff", "/", "/\xff"),
        (None, "/ä", "/\xc3\xa4"),
    ],
)
def test_a_path_is_bytes_as_characters(raw: bytes | None, path: str, found: str) -> None:
    assert path_of(scope(raw_path=raw, path=path)) == found


@pytest.mark.parametrize(
    ("headers", "key", "value"),
    [
        ([(b"content-type", b"text/plain")], "CONTENT_TYPE", "text/plain"),
        ([(b"x-own", b"\xff")], "HTTP_X_OWN", "\xff"),
        ([(b"x-own", b"a"), (b"x-own", b"b")], "HTTP_X_OWN", "a,b"),
        ([(b"cookie", b"a=1"), (b"cookie", b"b=2")], "HTTP_COOKIE", "a=1; b=2"),
        ([(b"host", b"h:1")], "HTTP_HOST", "h:1"),
    ],
)
def test_headers_become_keys_and_equal_ones_are_joined(
    headers: list[tuple[bytes, bytes]], key: str, value: str
) -> None:
    assert environ_of(scope(*headers), b"")[key] == value


@pytest.mark.parametrize("name", [b"x_own", b"proxy", b"transfer-encoding", b"expect", b"content_length"])
def test_headers_that_could_pass_for_others_are_dropped(name: bytes) -> None:
    assert environ_of(scope((name, b"evil")), b"").keys() == environ_of(scope(), b"").keys()
    assert "evil" not in environ_of(scope((name, b"evil")), b"").values()


def test_the_length_is_that_of_the_body_whatever_was_announced() -> None:
    assert environ_of(scope((b"content-length", b"999")), b"ab")["CONTENT_LENGTH"] == "2"


def test_two_origins_are_none_that_a_page_has() -> None:
    assert origin_of(scope()) == ""
    assert origin_of(scope((b"origin", b"https://a.example"))) == "https://a.example"
    assert origin_of(scope((b"origin", b"a"), (b"origin", b"b"))) == "a,b"


def test_two_hosts_are_refused() -> None:
    with pytest.raises(RefusedError):
        environ_of(scope((b"host", b"a"), (b"host", b"a")), b"")


def test_names_that_strangers_make_up_are_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = dict(module._KEYS)
    monkeypatch.setattr(module, "_KEYS", keys)
    for n in range(600):
        assert environ_of(scope((b"x-%d" % n, b"v")), b"")[f"HTTP_X_{n}"] == "v"
    assert len(keys) == 500


def test_one_request_knows_nothing_of_another() -> None:
    environ_of(scope((b"x-own", b"secret")), b"secret")
    assert "secret" not in str(environ_of(scope(), b""))
