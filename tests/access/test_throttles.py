"""Rate limits: how many requests a caller has, and what happens when Redis is away."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ninja.errors import Throttled
from pytest_django import Settings

from access import throttles
from access.throttles import Counts, spend
from lib import redis_client
from tests.access.test_attempt_counts import FORGERIES


@pytest.fixture
def caller(clean_cache: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """A caller in the midst of a minute, so that no test runs over into the next."""
    midst = time.time() // throttles.WINDOW_SECONDS * throttles.WINDOW_SECONDS + 20
    monkeypatch.setattr("time.time", lambda: midst)
    return "someone"


def test_a_caller_has_as_many_requests_a_minute_as_the_limit_says(caller: str) -> None:
    for _ in range(3):
        spend(caller, 3)
    with pytest.raises(Throttled) as refusal:
        spend(caller, 3)
    assert refusal.value.wait == 40


def test_callers_are_counted_apart(caller: str) -> None:
    spend(caller, 1)
    spend("another", 1)
    with pytest.raises(Throttled):
        spend(caller, 1)


def test_the_next_minute_begins_again(caller: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spend(caller, 1)
    later = time.time() + throttles.WINDOW_SECONDS
    monkeypatch.setattr("time.time", lambda: later)
    spend(caller, 1)


def test_a_large_limit_is_taken_in_blocks_and_is_still_exact(caller: str, settings: Settings) -> None:
    one, another = Counts(settings.REDIS_URL), Counts(settings.REDIS_URL)
    assert sum(one.take_one("vectorpress:spent:blocks", 1_000) for _ in range(600)) == 600
    assert sum(another.take_one("vectorpress:spent:blocks", 1_000) for _ in range(600)) == 400
    assert not one.take_one("vectorpress:spent:blocks", 1_000)


def test_callers_of_minutes_past_are_not_kept_for_ever(
    caller: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttles, "_CALLERS_HELD", 2)
    counts = Counts(settings.REDIS_URL)
    for number in range(9):
        assert counts.take_one(f"vectorpress:spent:{number}", 1_000)
    assert len(counts._taken) <= 2


def test_no_limit_asks_nobody(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    spend("someone", 0)


def test_counts_forget_themselves(caller: str, settings: Settings) -> None:
    counts = Counts(settings.REDIS_URL)
    counts.add("vectorpress:spent:forgotten", 1)
    assert 0 < counts._redis.ttl("vectorpress:spent:forgotten") <= 2 * throttles.WINDOW_SECONDS


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_count_refuses_for_a_minute_at_most_and_lifts_no_limit(
    caller: str, settings: Settings, caplog: pytest.LogCaptureFixture, forge: Callable[..., Any]
) -> None:
    key = f"vectorpress:spent:{caller}:{int(time.time()) // throttles.WINDOW_SECONDS}"
    redis = Counts(settings.REDIS_URL)._redis
    forge(redis, key)
    for _ in range(10):
        with contextlib.suppress(Throttled):
            spend(caller, 5)
    with pytest.raises(Throttled) as refusal:
        spend(caller, 5)
    assert 0 < (refusal.value.wait or 0) <= throttles.WINDOW_SECONDS
    assert 0 < redis.ttl(key) <= 2 * throttles.WINDOW_SECONDS
    assert "Redis" not in caplog.text


def test_without_redis_requests_continue_and_only_the_first_one_connects(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/1"
    for _ in range(200):
        spend("someone", 1)
    assert caplog.text.count("requests are not limited") == 1


def test_a_redis_that_hangs_holds_up_one_request_for_its_deadline_only(listener: int) -> None:
    counts = Counts(f"redis://127.0.0.1:{listener}/0")
    started = time.monotonic()
    assert all(counts.take_one("key", 1) for _ in range(50))
    assert time.monotonic() - started < 3 * redis_client.TIMEOUT_SECONDS


@pytest.fixture
def listener() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
