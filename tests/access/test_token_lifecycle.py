"""How a token begins and ends, and who hears of it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from access import token_lifecycle
from access.models import ApiToken, Scope
from access.signals import token_changed
from access.token_lifecycle import TokenEnded
from tests.factories import make_token

pytestmark = pytest.mark.django_db
type Heard = list[tuple[str, str, str]]


@pytest.fixture
def announcements() -> Iterator[Heard]:
    """Act, actor and name of each announcement."""
    found: Heard = []

    def record(sender: Any, token: ApiToken, act: str, actor: str, reason: str, **_: Any) -> None:
        found.append((act, actor, token.name))

    token_changed.connect(record)
    yield found
    token_changed.disconnect(record)


def refuse(sender: Any, **_: Any) -> None:
    raise LookupError("the audit log is away")


@pytest.fixture
def unheard() -> Iterator[None]:
    """A listener that fails."""
    token_changed.connect(refuse)
    yield
    token_changed.disconnect(refuse)


def test_a_new_token_knows_its_maker_and_is_announced(announcements: Heard) -> None:
    row, text = token_lifecycle.issue("site", ["write", "read"], actor="ada", allow_from=["10.0.0.0/8"])
    assert (row.scopes, row.created_by, row.allow_from, row.expires_at) == (
        ["read", "write"],
        "ada",
        ["10.0.0.0/8"],
        None,
    )
    assert ApiToken.objects.authenticate(text) == row
    assert announcements == [("issued", "ada", "site")]


def test_only_the_first_revocation_is_announced(announcements: Heard) -> None:
    row, _ = make_token(name="site")
    assert [token_lifecycle.revoke(row, actor="ada"), token_lifecycle.revoke(row, actor="bob")] == [
        True,
        False,
    ]
    assert announcements == [("revoked", "ada", "site")]


@pytest.mark.parametrize(
    ("life", "overlap", "left"),
    [
        (None, timedelta(hours=2), timedelta(hours=2)),
        (timedelta(days=30), timedelta(hours=2), timedelta(hours=2)),
        (timedelta(hours=1), timedelta(hours=2), timedelta(hours=1)),
        (timedelta(days=30), timedelta(), timedelta()),
    ],
)
def test_a_successor_is_like_the_old_one_which_ends_after_the_overlap_at_the_latest(
    announcements: Heard, life: timedelta | None, overlap: timedelta, left: timedelta
) -> None:
    old, old_text = make_token(Scope.READ, name="site", allow_from=["::/0"], expires_at=life and Now() + life)
    new, text = token_lifecycle.rotate(old, actor="ada", overlap=overlap, expires_at=None)
    assert (new.name, new.scopes, new.allow_from, new.created_by) == ("site", ["read"], ["::/0"], "ada")
    assert new.expires_at is None
    assert text != old_text
    old.refresh_from_db()
    assert old.expires_at
    assert abs(old.expires_at - timezone.now() - left) < timedelta(seconds=10)
    assert [act for act, _, _ in announcements] == ["rotated", "issued"]


@pytest.mark.parametrize("ended", [{"revoked_at": Now()}, {"expires_at": Now()}])
def test_a_token_that_has_ended_has_no_successor(announcements: Heard, ended: dict[str, Any]) -> None:
    old, _ = make_token(**ended)
    with pytest.raises(TokenEnded):
        token_lifecycle.rotate(old, actor="ada", overlap=timedelta(), expires_at=None)
    assert (ApiToken.objects.count(), announcements) == (1, [])


def test_where_the_successor_cannot_be_kept_nothing_was_done() -> None:
    old, _ = make_token()
    kept: list[str] = []

    def keep(text: str) -> None:
        kept.append(text)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        token_lifecycle.rotate(old, actor="ada", overlap=timedelta(), expires_at=None, keep=keep)
    assert len(kept) == 1
    assert ApiToken.objects.get().expires_at is None


@pytest.mark.usefixtures("unheard")
def test_an_act_that_cannot_be_written_down_is_not_done() -> None:
    row, _ = make_token()
    for act in (
        lambda: token_lifecycle.issue("other", ["read"], actor="ada"),
        lambda: token_lifecycle.revoke(row, actor="ada"),
        lambda: token_lifecycle.rotate(row, actor="ada", overlap=timedelta(), expires_at=None),
    ):
        with pytest.raises(LookupError):
            act()
    (only,) = ApiToken.objects.usable()
    assert (only, only.expires_at) == (row, None)
