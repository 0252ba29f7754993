"""`manage.py list_tokens`, as an operator uses it."""

import json

import pytest
from django.db.models.functions import Now

from access.auth import identify
from access.models import Scope
from tests.access.management.commands.running import run
from tests.factories import make_token

pytestmark = pytest.mark.django_db


def test_list_tokens_shows_those_that_work_and_who_made_them() -> None:
    run("create_token", "website", "--actor", "ada", "--expires", "13d")
    make_token(name="over", expires_at=Now())
    make_token(name="a\x1b[31m\u202eb")
    shown, told = run("list_tokens")
    [line] = [line for line in shown.splitlines() if "website" in line]
    assert all(part in line for part in ("read", "expiring", "everywhere", "ada"))
    assert "1 will end within 14 days" in told
    assert "over" not in shown
    assert not {"\x1b", "\u202e"} & set(shown)
    assert "over" in run("list_tokens", "--all")[0]


def test_list_tokens_as_json_holds_no_secret() -> None:
    row, text = make_token(Scope.READ, allow_from=["10.0.0.0/8"])
    identify(f"Bearer {text}", "10.0.0.1")
    shown, _ = run("list_tokens", "--json")
    [token] = json.loads(shown)["tokens"]
    assert (token["prefix"], token["state"], token["scopes"]) == (row.prefix, "usable", ["read"])
    assert token["last_used_at"]
    assert row.secret_hash not in shown
