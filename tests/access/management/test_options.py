"""What the commands about tokens share."""

import getpass
import io
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from access.management import options
from tests.factories import make_token


def test_the_actor_is_who_is_named_or_who_is_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "login")
    assert options.actor({"actor": " ada "}) == "ada"
    assert options.actor({"actor": " "}) == "login"
    assert options.actor({"actor": "x" * 1_000}) == "x" * 150


@pytest.mark.parametrize("error", [OSError, KeyError])
def test_a_user_without_a_name_is_the_command_line(
    monkeypatch: pytest.MonkeyPatch, error: type[OSError | KeyError]
) -> None:
    def fail_to_name_the_user() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", fail_to_name_the_user)
    assert options.actor({"actor": ""}) == "command line"


@pytest.mark.parametrize("error", [ValueError("odd \x1b[2J"), ValidationError("odd \x1b[2J")])
def test_what_a_reader_says_is_a_refusal_that_hides_nothing(error: ValueError | ValidationError) -> None:
    def read(_: str) -> str:
        raise error

    with pytest.raises(CommandError, match="odd") as refused:
        options.understood(read, "x")
    assert refused.value.returncode == options.NOT_UNDERSTOOD
    assert "\x1b" not in str(refused.value)
    assert options.understood(int, "7") == 7


def parsed(*words: str) -> Any:
    parser = ArgumentParser()
    options.add_actor(parser)
    options.add_token(parser)
    return parser.parse_args(words)


def test_a_token_may_be_a_dash() -> None:
    assert (parsed("-").token, parsed("-").actor) == ("-", "")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "form", ["{prefix}", "vp_{prefix}", "vp_{prefix}_…", " {prefix}\n", "{text}", "{text}\n"]
)
@pytest.mark.parametrize("by", ["argument", "standard input"])
def test_a_token_is_found_by_each_form_that_it_is_shown_in(
    monkeypatch: pytest.MonkeyPatch, form: str, by: str
) -> None:
    row, text = make_token()
    given = form.format(prefix=row.prefix, text=text)
    if by == "standard input":
        monkeypatch.setattr(sys, "stdin", io.StringIO(given + ("" if given.endswith("\n") else "\nmore")))
        given = "-"
    assert options.the_token(given) == row


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["", "\x00", "00000000", "vp_", "y" * 10_000, "vp_00000000_" + "a" * 43])
def test_a_token_that_is_not_there_is_refused_without_its_text(given: str) -> None:
    make_token()
    with pytest.raises(CommandError) as refused:
        options.the_token(given)
    assert refused.value.returncode == options.REFUSED
    assert given[11:] == "" or given[11:] not in str(refused.value)


@pytest.mark.parametrize(
    ("when", "shown"), [(datetime(2026, 1, 2, 3, 4, 59, tzinfo=UTC), "2026-01-02 03:04 UTC"), (None, "never")]
)
def test_a_time_is_shown_to_the_minute(when: datetime | None, shown: str) -> None:
    assert options.moment(when, "never") == shown
