"""Tokens: what is kept of them, who is admitted, and for how long."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.auth import TokenRefused, identify
from access.models import ApiToken, Scope
from tests.factories import make_token

pytestmark = pytest.mark.django_db


def test_only_a_hash_of_a_token_is_kept():
    row, text = make_token()
    kept = str(ApiToken.objects.filter(pk=row.pk).values().get())
    assert text.startswith(f"vp_{row.prefix}_")
    secret = text.removeprefix(f"vp_{row.prefix}_")
    assert len(secret) == 43
    assert secret not in kept


def test_a_token_names_its_holder_and_scopes_at_the_cost_of_one_query():
    row, text = make_token(Scope.READ, name="integration")
    row.note_use()
    with CaptureQueriesContext(connection) as queries:
        caller = identify(f"Bearer {text}")
    assert (caller.name, set(caller.scopes)) == ("integration", {"read"})
    assert len(queries) == 1


def test_the_bootstrap_token_may_do_everything_and_asks_no_database(settings):
    with CaptureQueriesContext(connection) as queries:
        caller = identify(f"bearer {settings.AUTH_TOKEN}")
    assert caller.scopes == set(Scope.values)
    assert len(queries) == 0


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer nonsense",
        "Bearer vp_00000000_" + "a" * 43,
        "Bearer vp_0000\x000_" + "a" * 43,
        "Bearer \xff\xfe",
        "Bearer " + "x" * 100_000,
    ],
)
def test_what_is_no_token_is_refused(header):
    with pytest.raises(TokenRefused) as refusal:
        identify(header)
    assert refusal.value.challenge.startswith('Bearer realm="')


def test_an_empty_bootstrap_token_admits_nobody(settings):
    settings.AUTH_TOKEN = ""
    with pytest.raises(TokenRefused):
        identify("Bearer ")


def test_a_token_with_another_secret_is_refused():
    row, _ = make_token()
    with pytest.raises(TokenRefused):
        identify(f"Bearer vp_{row.prefix}_{'a' * 43}")


def test_a_revoked_token_ends_at_once():
    row, text = make_token()
    identify(f"Bearer {text}")
    row.revoke()
    with pytest.raises(TokenRefused):
        identify(f"Bearer {text}")


def test_a_token_ends_when_it_expires():
    row, text = make_token(expires_at=timezone.now() + timedelta(hours=1))
    identify(f"Bearer {text}")
    ApiToken.objects.filter(pk=row.pk).update(expires_at=Now())
    with pytest.raises(TokenRefused):
        identify(f"Bearer {text}")


def test_use_is_noted_once_a_minute():
    row, text = make_token()
    identify(f"Bearer {text}")
    row.refresh_from_db()
    first = row.last_used_at
    assert first
    identify(f"Bearer {text}")
    row.refresh_from_db()
    assert row.last_used_at == first
    ApiToken.objects.filter(pk=row.pk).update(last_used_at=Now() - timedelta(minutes=2))
    identify(f"Bearer {text}")
    row.refresh_from_db()
    assert row.last_used_at > first


@pytest.mark.parametrize("scopes", [[], ["root"], ["read", "root"]])
def test_a_token_with_no_scope_or_an_unknown_one_is_not_made(scopes):
    with pytest.raises(ValueError, match="scopes read, write, ops"):
        ApiToken.objects.issue("a", scopes)


def create_token(*options: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("create_token", *options, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue()


def test_the_command_prints_a_token_that_works():
    text, told = create_token("integration", "--scope", "read", "--scope", "write", "--expires-days", "30")
    caller = identify(f"Bearer {text}")
    assert (caller.name, set(caller.scopes)) == ("integration", {"read", "write"})
    assert "not shown again" in told
    row = ApiToken.objects.get()
    assert row.expires_at is not None
    assert abs(row.expires_at - row.created_at - timedelta(days=30)) < timedelta(seconds=5)


def test_the_command_gives_the_least_scope_by_default():
    text, _ = create_token("reader")
    assert identify(f"Bearer {text}").scopes == {"read"}


@pytest.mark.parametrize(
    "options", [["n" * 101], [" "], ["a\nb"], ["n", "--expires-days", "0"], ["n", "--scope", "root"]]
)
def test_the_command_refuses_what_makes_no_sense(options):
    with pytest.raises(CommandError):
        create_token(*options)
    assert not ApiToken.objects.exists()
