"""What happens to API tokens is in the audit log of the queue, with who did it and without the secret."""

from datetime import timedelta

import pytest
from django.db import connection

from access import bootstrap, token_lifecycle
from access.models import ApiToken
from queueops.base import installed
from queueops.models import AuditLog
from tests.factories import Api, body

pytestmark = pytest.mark.django_db


def written() -> list[tuple[str, str]]:
    return list(AuditLog.objects.order_by("id").values_list("message", "actor"))


def test_issue_rotation_and_revocation_are_written_with_their_actor() -> None:
    row, text = token_lifecycle.issue("website", ["read"], actor="ada", allow_from=["10.0.0.0/8"])
    new, new_text = token_lifecycle.rotate(row, actor="grace", overlap=timedelta(hours=1), expires_at=None)
    assert token_lifecycle.revoke(new, actor="bob")
    assert not token_lifecycle.revoke(new, actor="bob")
    assert written() == [
        ("API token issued", "ada"),
        ("API token rotated", "grace"),
        ("API token issued", "grace"),
        ("API token revoked", "bob"),
    ]
    kept = str(list(AuditLog.objects.values()))
    assert row.prefix in kept
    assert "10.0.0.0/8" in kept
    for secret in (text[12:], new_text[12:], row.secret_hash, new.secret_hash):
        assert secret not in kept


def test_the_first_use_of_auth_token_is_written_once() -> None:
    for _ in range(3):
        body(Api().get("/articles"))
    assert written() == [("API token issued", "first use")]


def test_an_act_that_is_rolled_back_is_not_written() -> None:
    row, _ = token_lifecycle.issue("website", ["read"], actor="ada")

    def fail(text: str) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        token_lifecycle.rotate(row, actor="ada", overlap=timedelta(), expires_at=None, keep=fail)
    assert written() == [("API token issued", "ada")]
    assert ApiToken.objects.usable().count() == 1


def test_without_the_queue_tokens_are_made_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP VIEW queue_is_installed")
    installed.forget()
    row, _ = token_lifecycle.issue("website", ["read"], actor="ada")
    assert token_lifecycle.revoke(row, actor="ada")
    assert bootstrap.ensure(actor="first start")
    assert written() == []
