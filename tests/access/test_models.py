"""What is kept of a token, which are usable, and what they are called."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from access import token_text
from access.models import BOOTSTRAP_NAME, EXPIRING_DAYS, ApiToken, State, check_name
from tests.factories import make_token

pytestmark = pytest.mark.django_db


def test_only_a_hash_of_a_token_is_kept() -> None:
    row, text = make_token()
    kept = str(ApiToken.objects.filter(pk=row.pk).values().get())
    assert text.startswith(f"vp_{row.prefix}_")
    secret = text.removeprefix(f"vp_{row.prefix}_")
    assert len(secret) == 43
    assert secret not in kept


@pytest.mark.parametrize("scopes", [[], ["root"], ["read", "root"]])
def test_a_token_with_no_scope_or_an_unknown_one_is_not_made(scopes: list[str]) -> None:
    with pytest.raises(ValueError, match="scopes read, write, ops"):
        ApiToken.objects.issue("a", scopes)


@pytest.mark.parametrize("name", ["a", " a ", "日本", "x" * ApiToken.NAME_LENGTH, "O'Brien <b>"])
def test_a_name_is_one_printable_line(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "x" * 101,
        "a\nb",
        "a\x00",
        "\u202e",
        "\u200b",
        "\u3000",
        BOOTSTRAP_NAME,
        f" {BOOTSTRAP_NAME} ",
    ],
)
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        check_name(name)


STATES = {
    "without an end": ({}, State.USABLE),
    "long": ({"expires_at": Now() + timedelta(days=EXPIRING_DAYS + 1)}, State.USABLE),
    "soon": ({"expires_at": Now() + timedelta(days=EXPIRING_DAYS - 1)}, State.EXPIRING),
    "over": ({"expires_at": Now()}, State.EXPIRED),
    "revoked": ({"revoked_at": Now()}, State.REVOKED),
    "revoked and over": ({"revoked_at": Now(), "expires_at": Now()}, State.REVOKED),
}


@pytest.mark.parametrize(("fields", "state"), STATES.values(), ids=STATES.keys())
def test_a_token_is_in_one_state_and_usable_in_two(fields: dict[str, Any], state: State) -> None:
    make_token(**fields)
    (row,) = ApiToken.objects.with_state()
    assert row.state == state  # type: ignore[attr-defined]
    assert ApiToken.objects.usable().exists() is (state in (State.USABLE, State.EXPIRING))
    assert ApiToken.objects.expiring().exists() is (state == State.EXPIRING)


@pytest.mark.parametrize("text", ["", "short", "x" * (token_text.SHORTEST_OWN_TEXT - 1)])
def test_a_short_text_makes_no_token(text: str) -> None:
    with pytest.raises(ValueError, match="short"):
        ApiToken.objects.record(text, name="a", scopes=["read"])
    assert ApiToken.objects.with_text(text) is None


def test_a_token_is_found_by_its_whole_text_alone_and_in_any_state() -> None:
    row, text = make_token(revoked_at=Now())
    assert ApiToken.objects.with_text(text) == row
    assert ApiToken.objects.authenticate(text) is None
    for other in (text[:-1] + ("a" if text[-1] != "a" else "b"), text + "a", text.upper(), f" {text}"):
        assert ApiToken.objects.with_text(other) is None


def test_a_text_of_ones_own_is_found_too() -> None:
    row = ApiToken.objects.record("chosen by an operator, long enough", name="a", scopes=["read"])
    assert ApiToken.objects.authenticate("chosen by an operator, long enough") == row


def test_two_tokens_never_share_a_text() -> None:
    _, text = make_token()
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiToken.objects.record(text, name="b", scopes=["read"])


def test_revoking_twice_keeps_the_first_time() -> None:
    row, _ = make_token()
    assert row.revoke()
    row.refresh_from_db()
    first = row.revoked_at
    assert not row.revoke()
    row.refresh_from_db()
    assert row.revoked_at == first


def test_a_token_is_called_by_its_name_and_its_beginning() -> None:
    row, text = make_token(name="site")
    assert text.startswith(row.begins_with.removesuffix("…"))
    assert str(row) == f"site ({row.begins_with})"
    own = ApiToken(
        name=BOOTSTRAP_NAME, prefix="0123abcd", bootstrap_line="00000000-0000-0000-0000-000000000001"
    )
    assert own.begins_with == "0123abcd"
