"""Wrong tokens are counted before a token is looked at, and those in good use pass."""

import contextlib
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from ninja.errors import AuthenticationError
from pytest_django import Settings

from access import attempts, token_guard
from access.attempt_counts import counts
from access.attempts import TooManyAttempts
from tests.access.people import HOME, OFFICE
from tests.factories import make_token, problem
from tests.responses import Response
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db
[LIMIT] = (rule.most for rule in attempts.TOKEN.rules)
WRONG = f"vp_00000000_{'a' * 43}"


@pytest.fixture(autouse=True)
def fresh_attempts(clean_cache: None) -> None:
    """No token was tried yet."""


def call(token: str | None, address: str = OFFICE, path: str = "/api/articles") -> Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return Client().get(path, headers=headers, REMOTE_ADDR=address)


def try_wrong_ones(times: int = 200, **fields: Any) -> list[int]:
    return [call(f"{WRONG[:-4]}{number:04d}", **fields).status_code for number in range(times)]


@pytest.mark.parametrize("path", ["/api/articles", "/stats"])
def test_after_many_wrong_tokens_the_right_one_is_refused_too_unseen(path: str) -> None:
    _, token = make_token()
    assert try_wrong_ones(path=path) == [401] * LIMIT + [429] * (200 - LIMIT)
    with CaptureQueriesContext(connection) as queries:
        refused = call(token, path=path)
    problem(refused, 429)
    assert 0 < int(refused["Retry-After"]) <= 60
    assert len(queries) == 0


def test_the_bootstrap_token_is_refused_as_well(settings: Settings) -> None:
    try_wrong_ones()
    problem(call(settings.AUTH_TOKEN), 429)
    assert call(settings.AUTH_TOKEN, address=HOME).status_code == 200


def test_when_the_block_has_ended_the_right_token_is_good() -> None:
    _, token = make_token()
    try_wrong_ones()
    redis = counts()._shared._redis
    for key in redis.keys("vectorpress:attempts:*"):
        redis.pexpire(key, 1)
    wait_until(lambda: not redis.keys("vectorpress:attempts:*"), what="the block to end")
    assert call(token).status_code == 200


def test_a_token_in_good_use_passes_beside_a_guesser_behind_the_same_address() -> None:
    _, token = make_token()
    assert call(token).status_code == 200
    try_wrong_ones()
    assert call(token).status_code == 200


def test_so_it_does_in_another_process() -> None:
    _, token = make_token()
    assert call(token).status_code == 200
    try_wrong_ones()
    token_guard.forget_all()
    assert call(token).status_code == 200


def test_good_use_elsewhere_does_not_help() -> None:
    _, token = make_token()
    assert call(token, address=HOME).status_code == 200
    try_wrong_ones()
    problem(call(token), 429)


def test_a_token_in_good_use_asks_redis_nothing(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    _, token = make_token()
    call(token)
    settings.REDIS_URL, settings.API_RATE_LIMIT = "redis://127.0.0.1:1/1", 0
    assert call(token).status_code == 200
    assert "Redis" not in caplog.text


def test_a_token_that_is_revoked_in_good_use_ends_at_once_and_is_then_counted() -> None:
    row, token = make_token()
    call(token)
    row.revoke()
    assert [call(token).status_code for _ in range(LIMIT + 5)].count(401) <= LIMIT + 1
    problem(call(token), 429)


def test_requests_without_a_token_block_nobody() -> None:
    _, token = make_token()
    without = [call("").status_code for _ in range(300)]
    assert 429 in without
    assert call(token).status_code == 200


def test_without_redis_guessing_is_limited_by_the_process(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/1"
    _, token = make_token()
    assert try_wrong_ones() == [401] * LIMIT + [429] * (200 - LIMIT)
    problem(call(token), 429)


def test_a_database_that_does_not_answer_is_not_a_wrong_token() -> None:
    with pytest.raises(OSError, match="gone"), token_guard.guarded("Bearer x", OFFICE):
        raise OSError("gone")
    redis = counts()._shared._redis
    assert [redis.get(key) for key in redis.keys("vectorpress:attempts:token:address:*")] == [b"0"]


def test_the_cache_of_a_process_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_guard, "_GOOD_HELD", 3)
    for number in range(9):
        with token_guard.guarded(f"Bearer {number}", OFFICE):
            pass
    assert len(token_guard._good) == 3


def test_a_good_token_marks_no_other_however_it_is_padded_or_spelled() -> None:
    for good, wrong in (
        ("a" * 43, f"{'a' * 42}b"),
        (f"{' ' * 4_200}good", f"{' ' * 4_200}wrong"),
        (f"{'a' * 4_200}good", f"{'a' * 4_200}wrong"),
        ("Good", "gOOD"),
        ("good", "\uff47ood"),
    ):
        counts()._shared._redis.flushdb()
        refused = 0
        for _ in range(LIMIT + 10):
            token_guard.forget_all()
            with contextlib.suppress(TooManyAttempts), token_guard.guarded(f"Bearer {good}", OFFICE):
                pass
            try:
                tried(wrong)
            except TooManyAttempts:
                refused += 1
        assert refused == 10, (good[-9:], wrong[-9:])


def tried(token: str) -> None:
    with contextlib.suppress(AuthenticationError), token_guard.guarded(f"Bearer {token}", OFFICE):
        raise AuthenticationError


def test_blanks_around_a_token_are_not_part_of_it() -> None:
    _, token = make_token()
    assert call(f"{' ' * 4_000}{token}  ").status_code == 200
    try_wrong_ones()
    assert call(token).status_code == 200


@pytest.mark.parametrize("path", ["/api/articles", "/stats"])
def test_a_long_header_is_refused_unread_with_the_bound(path: str) -> None:
    _, token = make_token()
    with CaptureQueriesContext(connection) as queries:
        refused = call(f"{' ' * 8_200}{token}", path=path)
    assert "at most 8,192" in problem(refused, 401)["detail"]
    assert len(queries) == 0
    assert 429 in [call("x" * 9_000, path=path).status_code for _ in range(200)]
    assert call(token, path=path).status_code == 200
