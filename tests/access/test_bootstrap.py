"""AUTH_TOKEN as a row: made once, used, revoked, rotated and replaced like any other token."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from access import bootstrap, token_cache, token_lifecycle, token_text
from access.auth import TokenRefused, identify
from access.models import ApiToken, Scope
from tests.access.test_auth import is_refused

pytestmark = pytest.mark.django_db
OWN = "a text of the operator's own, long enough"
OTHER = "another text of the operator's own"


@pytest.fixture(
    params=[
        OWN,
        token_text.make(),
        "as long as you like, " * 100 + "!",
        "grün and longer than 32 characters",
    ],
    ids=["own", "made", "long", "not ascii"],
)
def text(request: pytest.FixtureRequest, settings: Settings) -> str:
    settings.AUTH_TOKEN = request.param
    return str(request.param)


def test_its_row_is_made_at_the_first_use_and_only_then(text: str) -> None:
    for _ in range(2):
        caller = identify(f"bearer {text}")
        token_cache.tokens.forget()
    assert (caller.name, set(caller.scopes)) == ("AUTH_TOKEN", set(Scope.values))
    row = ApiToken.objects.get()
    assert (row.created_by, row.expires_at, row.revoked_at) == ("first use", None, None)
    assert row.last_used_at
    assert text not in str(ApiToken.objects.values().get())


def test_its_row_is_made_once_however_it_comes_about(text: str) -> None:
    assert bootstrap.ensure(actor="first start")
    assert not bootstrap.ensure(actor="first start")
    identify(f"Bearer {text}")
    assert ApiToken.objects.get().created_by == "first start"


def test_a_burst_asks_the_database_once_a_second(text: str) -> None:
    identify(f"Bearer {text}")
    with CaptureQueriesContext(connection) as queries:
        for _ in range(100):
            identify(f"Bearer {text}")
    assert len(queries) <= 5


def test_remembering_it_costs_microseconds() -> None:
    identify(f"Bearer {django_settings.AUTH_TOKEN}")
    started = time.thread_time()
    for _ in range(1_000):
        identify(f"Bearer {django_settings.AUTH_TOKEN}")
    assert time.thread_time() - started < 0.5


@pytest.mark.parametrize("ended", [{"revoked_at": Now()}, {"expires_at": Now()}])
def test_revoked_or_expired_it_stays_off(text: str, ended: dict[str, Any]) -> None:
    identify(f"Bearer {text}")
    ApiToken.objects.update(**ended)
    token_cache.tokens.forget()
    for _ in range(2):
        assert is_refused(text)
        assert not bootstrap.ensure(actor="first start")
    assert ApiToken.objects.count() == 1


def test_its_allow_list_holds() -> None:
    bootstrap.ensure(actor="first start")
    ApiToken.objects.update(allow_from=["10.0.0.0/8"])
    with pytest.raises(TokenRefused):
        identify(f"Bearer {django_settings.AUTH_TOKEN}", "203.0.113.9")
    identify(f"Bearer {django_settings.AUTH_TOKEN}", "10.0.0.9")


def test_the_token_before_it_ends_when_the_setting_is_changed(settings: Settings) -> None:
    settings.AUTH_TOKEN = OWN
    identify(f"Bearer {OWN}")
    settings.AUTH_TOKEN = OTHER
    token_cache.tokens.forget()
    assert is_refused(OWN)
    identify(f"Bearer {OTHER}")
    assert is_refused(OWN)


@pytest.mark.parametrize("own", [OWN, token_text.make()], ids=["own", "made"])
def test_rotated_both_work_in_processes_with_the_old_and_the_new_setting(
    settings: Settings, own: str
) -> None:
    settings.AUTH_TOKEN = own
    bootstrap.ensure(actor="first start")
    _, successor = rotated(timedelta(hours=24))
    assert_both_work(own, successor)
    settings.AUTH_TOKEN = successor
    assert_both_work(own, successor)
    ApiToken.objects.filter(expires_at__isnull=False).update(expires_at=Now())
    token_cache.tokens.forget()
    assert is_refused(own)
    assert not is_refused(successor)
    assert {row.name for row in ApiToken.objects.all()} == {"AUTH_TOKEN"}


def test_a_setting_that_was_replaced_does_not_come_back_by_a_rotation(settings: Settings) -> None:
    settings.AUTH_TOKEN = OTHER
    bootstrap.ensure(actor="first start")
    settings.AUTH_TOKEN = OWN
    bootstrap.ensure(actor="first start")
    rotated(timedelta(hours=24))
    assert is_refused(OTHER)


def test_an_ordinary_token_in_the_setting_keeps_its_scopes(settings: Settings) -> None:
    _, settings.AUTH_TOKEN = token_lifecycle.issue("reader", ["read"], actor="ada")
    assert identify(f"Bearer {settings.AUTH_TOKEN}").scopes == {"read"}


def rotated(overlap: timedelta) -> tuple[ApiToken, str]:
    row = bootstrap.row()
    assert row
    return token_lifecycle.rotate(row, actor="ada", overlap=overlap, expires_at=None)


def assert_both_work(*texts: str) -> None:
    token_cache.tokens.forget()
    for text in texts:
        assert identify(f"Bearer {text}").name == "AUTH_TOKEN"


@pytest.mark.django_db(transaction=True)
def test_first_uses_at_once_make_one_row() -> None:
    refused = []

    def use() -> None:
        try:
            identify(f"Bearer {django_settings.AUTH_TOKEN}")
        except TokenRefused as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not refused
    assert ApiToken.objects.count() == 1
