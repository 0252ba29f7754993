"""`revoke_token` ends an API token, found by its id or by its text."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from access import bootstrap
from queueops.models import AuditLog
from tests.access.test_auth import is_refused
from tests.config.management.commands.accounts import run
from tests.factories import make_token

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("form", ["{}", "vp_{}", "vp_{}_…"])
def test_revoke_token_ends_a_token_by_its_id(form: str) -> None:
    row, text = make_token()
    shown = run("revoke_token", form.format(row.prefix), "--reason", "it was in a log")
    assert "is revoked" in shown
    assert is_refused(text)
    assert "is revoked already" in run("revoke_token", row.prefix)
    entry = AuditLog.objects.get(message="API token revoked")
    assert (entry.actor, entry.metadata["reason"]) == ("root", "it was in a log")


@pytest.mark.parametrize("place", ["argument", "standard input"])
def test_revoke_token_finds_a_leaked_text(
    place: str, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.AUTH_TOKEN = "a text of an operator's own, without a prefix"
    bootstrap.ensure(actor="first start")
    for text in (make_token()[1], settings.AUTH_TOKEN):
        monkeypatch.setattr("sys.stdin", StringIO(f"{text}\n"))
        reply = json.loads(run("revoke_token", text if place == "argument" else "-", "--json"))
        assert reply.pop("token") not in {"", text}
        assert reply["is_revoked"] is True
        assert is_refused(text)


def test_revoke_token_asks_unless_yes_is_given() -> None:
    row, text = make_token()
    with pytest.raises(CommandError, match="Add --yes to proceed") as refused:
        call_command("revoke_token", row.prefix, stdout=StringIO())
    assert refused.value.returncode == 3
    call_command("revoke_token", row.prefix, "--dry-run", stdout=(out := StringIO()))
    assert "Nothing was changed" in out.getvalue()
    assert not is_refused(text)
