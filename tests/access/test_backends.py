"""Passwords cannot be guessed without limit, and what is refused costs no hash."""

import asyncio
import time
from typing import Any

import pytest
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from access import attempts
from access.attempt_counts import counts
from access.attempts import TooManyAttempts
from tests.access.people import (
    ELSEWHERE,
    HOME,
    OFFICE,
    SECRET,
    CountingHasher,
    is_signed_in,
    make_ada,
    sign_in,
)

pytestmark = pytest.mark.django_db
PAIR, ADDRESS, NAME = (rule.most for rule in attempts.PASSWORD.rules)


@pytest.fixture
def ada(fresh_attempts: type[CountingHasher]) -> User:
    user = make_ada()
    fresh_attempts.computed = 0
    return user


def guess(client: Client, times: int, **fields: Any) -> list[int]:
    """The status of each reply to a wrong password."""
    return [sign_in(client, f"wrong-{number}", **fields).status_code for number in range(times)]


def statements(client: Client, name: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        sign_in(client, "wrong", name=name)
    return [query["sql"].split(" WHERE ")[0] for query in queries if "auth_user" in query["sql"]]


def test_after_ten_wrong_passwords_the_right_one_is_refused_too_without_a_hash(
    client: Client, ada: User, fresh_attempts: type[CountingHasher]
) -> None:
    assert guess(client, 40) == [200] * PAIR + [429] * 30
    assert fresh_attempts.computed == PAIR
    refused = sign_in(client)
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= attempts.PASSWORD.rules[0].block
    assert "Too many attempts. Try again in 5 minutes" in refused.content.decode()
    assert fresh_attempts.computed == PAIR
    assert not is_signed_in(client)


def test_forty_wrong_guesses_cost_the_processor_ten_hashes(
    client: Client, settings: Settings, clean_cache: None
) -> None:
    make_ada()
    began = time.thread_time()
    sign_in(client, "wrong")
    one = time.thread_time() - began
    guess(client, 39)
    assert time.thread_time() - began < 25 * one


def test_when_the_block_has_ended_the_right_password_signs_in(
    client: Client, ada: User, clean_cache: None
) -> None:
    guess(client, PAIR + 1)
    redis = counts()._shared._redis
    for key in redis.keys("vectorpress:attempts:*"):
        redis.pexpire(key, 1)
    assert sign_in(client).status_code == 302
    assert is_signed_in(client)


def test_an_address_cannot_try_name_after_name(client: Client, ada: User) -> None:
    statuses = [sign_in(client, "wrong", name=f"name-{number}").status_code for number in range(ADDRESS + 5)]
    assert statuses == [200] * ADDRESS + [429] * 5
    assert sign_in(client, name="ada").status_code == 429
    assert sign_in(client, name="ada", address=HOME).status_code == 302


def test_ipv6_callers_are_counted_by_their_network(client: Client, ada: User) -> None:
    for number in range(PAIR):
        sign_in(client, "wrong", address=f"2001:db8:1:2::{number:x}")
    assert sign_in(client, address="2001:db8:1:2:ffff::1").status_code == 429


def test_a_botnet_is_slowed_by_the_name(
    client: Client, ada: User, fresh_attempts: type[CountingHasher]
) -> None:
    statuses = [
        sign_in(client, "wrong", address=f"198.51.{number}.1").status_code for number in range(NAME + 5)
    ]
    assert statuses == [200] * NAME + [429] * 5
    refused = sign_in(client, address=ELSEWHERE)
    assert (refused.status_code, int(refused["Retry-After"]) <= 60) == (429, True)


def test_a_botnet_does_not_keep_the_owner_out_where_they_signed_in_before(client: Client, ada: User) -> None:
    assert sign_in(client, address=HOME).status_code == 302
    client.logout()
    for number in range(NAME + 1):
        sign_in(client, "wrong", address=f"198.51.{number}.1")
    assert sign_in(client, address=ELSEWHERE).status_code == 429
    assert sign_in(client, address=HOME).status_code == 302


def test_a_guesser_in_the_office_does_not_keep_out_colleagues_who_signed_in_there_before(
    client: Client, ada: User
) -> None:
    assert sign_in(client).status_code == 302
    client.logout()
    for number in range(ADDRESS):
        sign_in(client, "wrong", name=f"name-{number}")
    assert sign_in(client, "wrong", name="another").status_code == 429
    assert sign_in(client).status_code == 302


def test_a_known_address_has_no_more_attempts_than_any_other(
    client: Client, ada: User, fresh_attempts: type[CountingHasher]
) -> None:
    sign_in(client)
    client.logout()
    fresh_attempts.computed = 0
    assert guess(client, 40).count(200) == fresh_attempts.computed == PAIR


def test_a_success_forgets_the_failures_before_it(client: Client, ada: User) -> None:
    for _ in range(3):
        assert guess(client, PAIR - 1) == [200] * (PAIR - 1)
        assert sign_in(client).status_code == 302
        client.logout()


def test_names_that_differ_in_case_or_form_share_a_count(client: Client, ada: User) -> None:
    for name in ("ada", "ADA", "Ada", "\uff41da", "aDa"):
        guess(client, 2, name=name)
    assert sign_in(client).status_code == 429


def test_who_signed_in_under_a_name_that_differs_in_case_is_not_taken_for_known(
    client: Client, ada: User
) -> None:
    make_ada(username="ADA")
    assert sign_in(client, name="ADA").status_code == 302
    client.logout()
    for number in range(40):
        sign_in(client, "wrong", name=f"name-{number}")
    assert sign_in(client).status_code == 429
    assert sign_in(client, name="ADA").status_code == 302


def test_an_unknown_name_takes_the_same_way_as_a_wrong_password(
    client: Client, ada: User, fresh_attempts: type[CountingHasher]
) -> None:
    User.objects.create_user("gone", password=SECRET, is_active=False, is_staff=True)
    fresh_attempts.computed = 0
    pages = {name: sign_in(client, "wrong", name=name).content.decode() for name in ("ada", "nobody")}
    pages["gone"] = sign_in(client, SECRET, name="gone").content.decode()
    assert fresh_attempts.computed == 3
    said = {page.split('<form action="/admin/login/"')[0].split("<body")[1] for page in pages.values()}
    assert len(said) == 1
    assert statements(client, "ada") == statements(client, "nobody")


def test_without_redis_guessing_is_limited_by_the_process(
    client: Client, ada: User, settings: Settings
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/1"
    assert guess(client, 20) == [200] * PAIR + [429] * 10
    assert sign_in(client).status_code == 429


def test_every_caller_of_authenticate_passes_the_guard(ada: User, rf: RequestFactory) -> None:
    request = rf.get("/", REMOTE_ADDR=OFFICE)
    for _ in range(PAIR):
        assert authenticate(request, username="ada", password="wrong") is None
    with pytest.raises(TooManyAttempts):
        authenticate(request, username="ada", password=SECRET)
    with pytest.raises(TooManyAttempts):
        authenticate(request, **{User.USERNAME_FIELD: "ada"}, password=SECRET)


@pytest.mark.django_db(transaction=True)
def test_the_asynchronous_way_is_guarded_too(ada: User, rf: RequestFactory) -> None:
    request = rf.get("/", REMOTE_ADDR=OFFICE)
    for _ in range(PAIR):
        authenticate(request, username="ada", password="wrong")
    with pytest.raises(TooManyAttempts):
        asyncio.run(aauthenticate(request, username="ada", password=SECRET))


def test_the_old_password_of_the_form_to_change_it_is_a_guess_too(
    client: Client, ada: User, fresh_attempts: type[CountingHasher]
) -> None:
    client.force_login(ada)
    fields = {
        "old_password": "wrong",
        "new_password1": "another-long-one",
        "new_password2": "another-long-one",
    }
    replies = [client.post("/admin/password_change/", fields, REMOTE_ADDR=OFFICE) for _ in range(PAIR + 2)]
    assert [reply.status_code for reply in replies] == [200] * PAIR + [429] * 2
    assert "Too many attempts" in replies[-1].content.decode()
    assert int(replies[-1]["Retry-After"]) > 0
    assert fresh_attempts.computed == PAIR
    assert sign_in(client).status_code == 429
    fields["old_password"] = SECRET
    assert client.post("/admin/password_change/", fields, REMOTE_ADDR=HOME).status_code == 302


def test_strange_names_and_passwords_are_refused_with_a_sentence(client: Client, ada: User) -> None:
    for name, password in [
        ("x" * 100_000, "y"),
        ("a\x00da", "y"),
        ("ada", "y\x00"),
        ("", ""),
        ("\u202eada", "y"),
    ]:
        reply = sign_in(client, password, name=name)
        assert reply.status_code == 200
        assert "errornote" in reply.content.decode() or "error" in reply.content.decode()


def test_a_head_request_to_the_login_page_is_answered_like_get(client: Client, ada: User) -> None:
    assert client.head("/admin/login/").status_code == client.get("/admin/login/").status_code == 200
    client.force_login(ada)
    assert client.head("/admin/login/").status_code == client.get("/admin/login/").status_code == 302
