"""`manage.py create_token`, as an operator uses it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError
from pytest_django import Settings

from access.auth import identify
from access.models import ApiToken
from tests.access.management.commands.running import SOON, life, run

pytestmark = pytest.mark.django_db


def test_create_token_prints_a_token_that_works() -> None:
    text, told = run("create_token", "integration", "--scope", "read", "--scope", "write", "--expires", "30d")
    caller = identify(f"Bearer {text}")
    assert (caller.name, set(caller.scopes)) == ("integration", {"read", "write"})
    assert "not shown again" in told
    assert abs(life(ApiToken.objects.get()) - timedelta(days=30)) < SOON


def test_hidden_characters_of_a_name_or_an_option_are_escaped() -> None:
    assert r"'pay\u3164'" in run("create_token", "pay\u3164")[1]
    for options in (["x\x1b[2J"], ["x", "--expires", "\x1b[2J"], ["x", "--allow-from", "\x1b[2J"]):
        with pytest.raises(CommandError) as refused:
            run("create_token", *options)
        assert "\x1b" not in str(refused.value)


def test_a_token_ends_after_a_year_and_may_read_unless_said_otherwise() -> None:
    text, _ = run("create_token", "reader")
    assert identify(f"Bearer {text}").scopes == {"read"}
    assert abs(life(ApiToken.objects.get()) - timedelta(days=365)) < SOON


@pytest.mark.parametrize(("days", "options"), [(365, ["--expires", "never"]), (0, [])])
def test_a_token_without_an_end_is_asked_for(settings: Settings, days: int, options: list[str]) -> None:
    settings.API_TOKEN_DAYS = days
    run("create_token", "reader", *options)
    assert ApiToken.objects.get().expires_at is None


def test_a_day_is_over_at_its_midnight() -> None:
    run("create_token", "reader", "--expires", "2098-12-31")
    assert ApiToken.objects.get().expires_at == datetime(2099, 1, 1, tzinfo=UTC)


def test_an_allow_list_is_taken_and_told() -> None:
    _, told = run("create_token", "reader", "--allow-from", "10.0.0.0/8, 203.0.113.9")
    assert ApiToken.objects.get().allow_from == ["10.0.0.0/8", "203.0.113.9/32"]
    assert "may read from 10.0.0.0/8, 203.0.113.9/32 until" in told


@pytest.mark.parametrize(
    "options",
    [
        ["n" * 101],
        [" "],
        ["a\nb"],
        ["a\u202eb"],
        ["AUTH_TOKEN"],
        ["n", "--scope", "root"],
        ["n", "--expires", "0d"],
        ["n", "--expires", "90"],
        ["n", "--expires", "999999w"],
        ["n", "--expires", "2001-01-01"],
        ["n", "--expires", "9999-12-31"],
        ["n", "--expires", "tomorrow"],
        ["n", "--allow-from", "10.0.0.1/8"],
        ["n", "--allow-from", "localhost"],
        ["n", "--allow-from", ",".join(["10.0.0.0/8"] * 51)],
    ],
)
def test_create_token_refuses_what_makes_no_token(options: list[str]) -> None:
    with pytest.raises(CommandError):
        run("create_token", *options)
    assert not ApiToken.objects.exists()
