"""Each reader of a variable: its default, what it takes, and what it refuses without repeating a secret."""

import ipaddress
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env

NAME = "OF_A_TEST"
type Set = Callable[[str], None]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Sets the variable, which is not set at first."""
    monkeypatch.delenv(NAME, raising=False)
    monkeypatch.setattr(env, "_readings", {})
    return lambda value: monkeypatch.setenv(NAME, value)


READERS: dict[str, tuple[Callable[[], Any], Any]] = {
    "text": (lambda: env.text(NAME, "x"), "x"),
    "secret": (lambda: env.secret(NAME), ""),
    "key": (lambda: env.key(NAME), ""),
    "drill": (lambda: env.drill(NAME), ""),
    "flag": (lambda: env.flag(NAME, True), True),
    "integer": (lambda: env.integer(NAME, 5, 1, 9), 5),
    "choice": (lambda: env.choice(NAME, "b", ["a", "b"]), "b"),
    "networks": (lambda: env.networks(NAME), []),
    "site": (lambda: env.site(NAME), ""),
    "header": (lambda: env.header(NAME), ""),
    "contact": (lambda: env.contact(NAME), ""),
    "http_url": (lambda: env.http_url(NAME, "http://h/"), "http://h"),
    "redis_url": (lambda: env.redis_url(NAME, "redis://h"), "redis://h"),
    "prices": (lambda: env.prices(NAME), {}),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("value", [None, "", "  ", "\n"])
def test_an_empty_variable_counts_as_unset(given: Set, reader: str, value: str | None) -> None:
    if value is not None:
        given(value)
    read, default = READERS[reader]
    assert read() == default
    assert not env.readings()[NAME].is_set


TAKEN: list[tuple[Callable[[], Any], str, Any]] = [
    (lambda: env.text(NAME), "  a b ", "a b"),
    (lambda: env.secret(NAME), "abcde" * 7, "abcde" * 7),
    (lambda: env.secret(NAME), "abcd" * 7 + "abce", "abcd" * 7 + "abce"),  # 32 characters, 5 different
    (lambda: env.key(NAME), "!~", "!~"),
    *((lambda: env.flag(NAME, False), word, True) for word in ("true", "1", "YES", "On")),
    *((lambda: env.flag(NAME, True), word, False) for word in ("false", "0", "No", "OFF")),
    (lambda: env.integer(NAME, 5, 1, 9), "1", 1),
    (lambda: env.integer(NAME, 5, 1, 9), " 9 ", 9),
    (lambda: env.integer(NAME, 5, -9, 9), "-9", -9),
    (lambda: env.choice(NAME, "a", ["a", "b"]), "B", "b"),
    (
        lambda: env.networks(NAME),
        "10.0.0.0/8, ::1 ,",
        [ipaddress.ip_network(n) for n in ("10.0.0.0/8", "::1")],
    ),
    (lambda: env.site(NAME), "HTTPS://A.example:8443/", "https://a.example:8443"),
    (lambda: env.site(NAME), "http://[::1]:80", "http://[::1]:80"),
    (lambda: env.site(NAME), "https://A.example/Kb/x_1/", "https://a.example/Kb/x_1"),
    (lambda: env.origins(NAME), "https://A.example, http://b:1,", ["https://a.example", "http://b:1"]),
    (lambda: env.header(NAME), "X-Forwarded-User", "X-Forwarded-User"),
    (lambda: env.contact(NAME), "mailto:a@b.example", "mailto:a@b.example"),
    (lambda: env.contact(NAME), "tel:+49", "tel:+49"),
    (lambda: env.http_url(NAME, ""), "https://h:1/a/b/", "https://h:1/a/b"),
    (lambda: env.redis_url(NAME, ""), "unix:///run/x", "unix:///run/x"),
    (lambda: env.prices(NAME), "a=0.5, b=0 ", {"a": 0.5, "b": 0.0}),
]


@pytest.mark.parametrize(("read", "value", "found"), TAKEN)
def test_what_a_reader_takes(given: Set, read: Callable[..., Any], value: str, found: Any) -> None:
    given(value)
    assert read() == found
    assert env.readings()[NAME].is_set


REFUSED: list[tuple[Callable[[], Any], list[str]]] = [
    (lambda: env.secret(NAME), ["a" * 31, "abcd" * 20, "x"]),
    (lambda: env.key(NAME), ["a b", "a\tb", "a\x7fb", "ä"]),
    (lambda: env.flag(NAME, True), ["maybe", "2", "truee", "да"]),
    (lambda: env.integer(NAME, 5, 1, 9), ["0", "10", "1.0", "one", "1e1", "9" * 30, "٣٣"]),
    (lambda: env.choice(NAME, "a", ["a", "b"]), ["c", "a b", "ab"]),
    (lambda: env.networks(NAME), ["10.0.0.1/8", "host", "1.2.3", "10.0.0.0/33", "1.1.1.1;2.2.2.2"]),
    (
        lambda: env.site(NAME),
        ["a.example", "ftp://a", "https://", "https://a//b", "https://a/../b",
         "https://a/b c", "https://a?q", "https://a#f", "https://u@a",
         "https://a:0", "https://a:x", "https://a:65536", "https://ä.example",
         "https://a b", "https://a\nb", "https://a,b", "https://*.a", "https://[::1", "https://[zz]", "https://a'b"],
    ),
    (lambda: env.header(NAME), ["X User", "1X", "X_User", "X:", "X" * 65, "Ä"]),
    (lambda: env.contact(NAME), ["a@b", "http://a", "mailto:", "mailto:a b", "https://" + "a" * 501, "mailto:ä"]),
    (lambda: env.prices(NAME), ["a", "=1", "a=-1", "a=nan", "a=inf", "a=x", "a=1,,b=2"]),
    (lambda: env.http_url(NAME, ""), ["h", "ftp://h", "http://", "http://h:x", "http://a b", "http://a/b\nc", "http://a\tb"]),
]  # fmt: skip


@pytest.mark.parametrize(("read", "value"), [(read, value) for read, values in REFUSED for value in values])
def test_what_a_reader_refuses_names_the_variable(given: Set, read: Callable[..., Any], value: str) -> None:
    given(value)
    with pytest.raises(ImproperlyConfigured, match=NAME) as refused:
        read()
    assert "\n" not in str(refused.value)


HIDDEN: list[tuple[Callable[[], Any], list[str]]] = [
    (lambda: env.secret(NAME), ["s3cret"]),
    (lambda: env.key(NAME), ["s3cret key"]),
    (
        lambda: env.http_url(NAME, ""),
        ["http://u:s3cret@h", "http://h?key=s3cret", "http://h#s3cret", "s3cret"],
    ),
    (
        lambda: env.database(NAME, ""),
        ["s3cret", "mysql://u:s3cret@h/d", "postgresql://u:s3cret@h", "postgresql://u:s3cret@h:port/d"],
    ),
    (lambda: env.redis_url(NAME, ""), ["s3cret", "redis://:s3cret@h:port", "http://:s3cret@h"]),
]


@pytest.mark.parametrize(("read", "value"), [(read, value) for read, values in HIDDEN for value in values])
def test_a_refusal_does_not_repeat_what_may_be_a_secret(
    given: Set, read: Callable[..., Any], value: str
) -> None:
    given(value)
    with pytest.raises(ImproperlyConfigured, match=NAME) as refused:
        read()
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("read", [lambda: env.secret(NAME), lambda: env.key(NAME)])
def test_people_see_that_a_secret_is_set_and_not_which(given: Set, read: Callable[..., Any]) -> None:
    given("abcde" * 7)
    read()
    assert env.readings()[NAME] == env.Reading("****", "environment", True)


@pytest.mark.parametrize(("value", "shown"), [("on", "true"), ("0", "false")])
def test_people_see_a_flag_in_one_spelling(given: Set, value: str, shown: str) -> None:
    given(value)
    env.flag(NAME, True)
    assert env.readings()[NAME].value == shown


def test_a_database_that_is_gone_without_a_goodbye_is_noticed(given: Set) -> None:
    given("postgresql://u@db.example/d?connect_timeout=9")
    options = env.database(NAME, "")["OPTIONS"]
    assert (options["tcp_user_timeout"], options["keepalives_idle"]) == (30_000, 20)
    assert str(options["connect_timeout"]) == "9"  # the address has the last word


def test_a_database_may_be_named_by_the_folder_of_its_socket(given: Set) -> None:
    given("postgresql://u@/d?host=/socket/folder")
    found = env.database(NAME, "")
    assert (found["HOST"] or found["OPTIONS"].get("host"), found["NAME"]) == ("/socket/folder", "d")
