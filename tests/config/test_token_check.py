"""`embed_check database` warns of tokens before they end."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from access.models import ApiToken
from queueops.operate.checks import database
from queueops.operate.checks.finding import CheckResult, Finding
from tests.factories import make_token

pytestmark = pytest.mark.django_db


def finding() -> Finding:
    [found] = [found for found in database.check() if found.check == "tokens"]
    return found


def test_a_token_that_ends_soon_is_named() -> None:
    row, text = make_token(expires_at=Now() + timedelta(days=13))
    found = finding()
    assert found.verdict is CheckResult.WARN
    assert f"vp_{row.prefix}_… on" in found.detail
    assert text[12:] not in found.detail


def test_of_many_the_first_ones_are_named() -> None:
    for _ in range(7):
        make_token(expires_at=Now() + timedelta(days=1))
    assert finding().detail.count("vp_") == 5
    assert finding().detail.endswith("and more")


def test_tokens_that_go_on_or_have_ended_are_well() -> None:
    make_token(expires_at=Now() + timedelta(days=15))
    make_token(expires_at=Now())
    make_token(expires_at=Now() + timedelta(days=1), revoked_at=Now())
    make_token()
    assert finding().verdict is CheckResult.OK
    assert ApiToken.objects.count() == 4
