"""The form that makes a token: it offers what the person may give, and reads what they wrote."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from pytest_django import Settings

from access.models import Scope
from access.token_form import TokenForm


class _Everything:
    """A superuser without a row."""

    is_superuser = is_active = True


def form(person: Any = None, **data: Any) -> TokenForm:
    kind = type("Form", (TokenForm,), {"person": person or _Everything()})
    made: TokenForm = kind({"name": "site", "scopes": ["read"]} | data if data else None)
    return made


def test_who_may_give_everything_is_offered_everything_and_reads_by_default() -> None:
    scopes: Any = form().fields["scopes"]
    assert [value for value, _ in scopes.choices] == Scope.values
    assert scopes.initial == ["read"]
    assert scopes.help_text == ""


def test_a_scope_that_is_not_offered_is_explained_and_not_taken() -> None:
    scopes: Any = form(AnonymousUser()).fields["scopes"]
    assert (scopes.choices, scopes.initial) == ([], [])
    assert all(scope in scopes.help_text for scope in Scope.values)
    assert "scopes" in form(AnonymousUser(), name="x").errors


@pytest.mark.parametrize(("days", "is_proposed"), [(0, False), (30, True)])
def test_the_end_that_the_setting_says_is_proposed(settings: Settings, days: int, is_proposed: bool) -> None:
    settings.API_TOKEN_DAYS = days
    initial = form().fields["expires_at"].initial
    assert (initial is not None) is is_proposed
    if is_proposed:
        assert abs(initial - timezone.now() - timedelta(days=days)) < timedelta(seconds=10)


@pytest.mark.parametrize(
    ("written", "networks"),
    [
        ("", []),
        ("10.0.0.0/8", ["10.0.0.0/8"]),
        ("203.0.113.9\r\n 10.0.0.0/8 ,\n\n2001:db8::/32", ["203.0.113.9/32", "10.0.0.0/8", "2001:db8::/32"]),
    ],
)
def test_networks_are_parted_by_lines_or_commas(written: str, networks: list[str]) -> None:
    made = form(allow_from=written)
    assert made.is_valid(), made.errors
    assert made.cleaned_data["allow_from"] == networks


@pytest.mark.parametrize(
    "written", ["10.0.0.1/8", "localhost", "10.0.0.0/8 ::1", "\n".join(["::1"] * 51), "x" * 5_000]
)
def test_an_invalid_list_of_networks_is_reported_beside_its_field(written: str) -> None:
    assert set(form(allow_from=written).errors) == {"allow_from"}


@pytest.mark.parametrize(("days", "is_right"), [(-1, False), (0, False), (1, True)])
def test_an_end_lies_ahead(days: int, is_right: bool) -> None:
    made = form(expires_at_0=f"{timezone.now() + timedelta(days=days, seconds=-1):%Y-%m-%d}",
                expires_at=f"{timezone.now() + timedelta(days=days, seconds=-1):%Y-%m-%d %H:%M:%S}")  # fmt: skip
    assert ("expires_at" not in made.errors) is is_right
