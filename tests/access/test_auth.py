"""Who is admitted by a token, from where, and for how long."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from access import token_cache
from access.auth import TokenRefused, identify
from access.models import ApiToken, Scope
from tests.factories import Api, body, make_token, problem
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


def test_a_token_names_its_holder_and_scopes_at_the_cost_of_one_query() -> None:
    row, text = make_token(Scope.READ, name="integration")
    row.note_use()
    with CaptureQueriesContext(connection) as queries:
        caller = identify(f"Bearer {text}")
    assert (caller.name, set(caller.scopes)) == ("integration", {"read"})
    assert len(queries) == 1


def test_a_burst_of_calls_asks_the_database_once() -> None:
    _, text = make_token()
    identify(f"Bearer {text}")
    with CaptureQueriesContext(connection) as queries:
        for _ in range(100):
            identify(f"Bearer {text}")
    assert len(queries) <= 5  # one for each second that a busy machine takes for it


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
        "Bearer " + "x" * 31,
        "Bearer " + "x" * 100_000,
    ],
)
def test_an_invalid_token_is_refused(header: str) -> None:
    with pytest.raises(TokenRefused) as refusal:
        identify(header)
    assert refusal.value.challenge.startswith('Bearer realm="')


def test_an_empty_bootstrap_token_admits_nobody(settings: Settings) -> None:
    settings.AUTH_TOKEN = ""
    with pytest.raises(TokenRefused):
        identify("Bearer ")


def test_a_token_with_another_secret_is_refused() -> None:
    row, _ = make_token()
    with pytest.raises(TokenRefused):
        identify(f"Bearer vp_{row.prefix}_{'a' * 43}")


def test_a_revoked_token_ends_at_once() -> None:
    row, text = make_token()
    identify(f"Bearer {text}")
    row.revoke()
    with pytest.raises(TokenRefused):
        identify(f"Bearer {text}")


def test_a_token_that_somebody_else_revoked_ends_within_a_second() -> None:
    row, text = make_token()
    identify(f"Bearer {text}")
    ApiToken.objects.filter(pk=row.pk).update(revoked_at=Now())
    wait_until(lambda: is_refused(text), token_cache.SECONDS + 1, "the end of the token")


def test_a_token_ends_when_it_expires_and_no_memory_of_it_lasts_longer() -> None:
    _, text = make_token(expires_at=Now() + timedelta(seconds=0.3))
    started = time.monotonic()
    wait_until(lambda: is_refused(text), 5, "the end of the token")
    assert time.monotonic() - started < token_cache.SECONDS


def test_an_expired_token_is_refused() -> None:
    _, text = make_token(expires_at=Now())
    assert is_refused(text)


def is_refused(text: str) -> bool:
    try:
        identify(f"Bearer {text}")
    except TokenRefused:
        return True
    return False


def test_use_is_noted_once_a_minute() -> None:
    row, text = make_token()
    identify(f"Bearer {text}")
    row.refresh_from_db()
    first = row.last_used_at
    assert first
    identify(f"Bearer {text}")
    row.refresh_from_db()
    assert row.last_used_at == first
    ApiToken.objects.filter(pk=row.pk).update(last_used_at=Now() - timedelta(minutes=2))
    token_cache.tokens.forget()
    identify(f"Bearer {text}")
    row.refresh_from_db()
    assert row.last_used_at > first
    ApiToken.objects.filter(pk=row.pk).update(
        last_used_at=Now() + timedelta(hours=1)
    )  # by a clock that was ahead
    token_cache.tokens.forget()
    identify(f"Bearer {text}")
    row.refresh_from_db()
    assert row.last_used_at < datetime.now(UTC) + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("allow_from", "address", "is_let_in"),
    [
        ([], "203.0.113.9", True),
        (["10.0.0.0/8", "203.0.113.9"], "203.0.113.9", True),
        (["10.0.0.0/8", "203.0.113.9"], "10.9.9.9", True),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["2001:db8::/32"], "2001:db8::5", True),
        (["10.0.0.0/8"], "203.0.113.9", False),
        (["10.0.0.0/8"], "", False),
        (["0.0.0.0/0"], "2001:db8::5", False),
        (["unreadable"], "203.0.113.9", False),
    ],
)
def test_a_token_works_only_from_the_addresses_of_its_list(
    allow_from: list[str], address: str, is_let_in: bool
) -> None:
    _, text = make_token(allow_from=allow_from)
    for _ in range(2):  # by the database, and by memory
        if is_let_in:
            identify(f"Bearer {text}", address)
        else:
            with pytest.raises(TokenRefused):
                identify(f"Bearer {text}", address)


def test_a_token_used_from_elsewhere_is_refused_in_the_words_for_an_unknown_one_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    row, text = make_token(allow_from=["10.0.0.0/8"])
    answers = []
    for token in (text, "vp_00000000_" + "a" * 43):
        reply = Api(token).get("/articles")
        answers.append((problem(reply, 401)["detail"], reply["WWW-Authenticate"]))
    assert answers[0] == answers[1]
    assert f"token:{row.pk}" in caplog.text
    assert text not in caplog.text


def test_the_address_of_the_caller_decides_over_http() -> None:
    _, text = make_token(allow_from=["127.0.0.1"])
    assert body(Api(text).get("/articles"))["items"] == []
