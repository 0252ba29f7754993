"""Counts of failed attempts behave alike in Redis and in the process."""

import threading
from collections.abc import Callable

import pytest
from pytest_django import Settings

from access import attempt_counts
from access.attempt_counts import Counts, Limit, ProcessCounts, RedisCounts
from tests.waiting import wait_until

KNOWN = "vectorpress:attempts:test:known"
AWAY = "redis://127.0.0.1:1/1"


def limit(
    key: str = "vectorpress:attempts:test:count", most: int = 3, seconds: int = 60, block: int = 60
) -> Limit:
    return Limit(key, most, seconds, block)


@pytest.fixture(params=["Redis", "the process", "the process for a Redis that is away"])
def counts(
    request: pytest.FixtureRequest, settings: Settings, clean_cache: None
) -> ProcessCounts | Counts | RedisCounts:
    if request.param == "Redis":
        return RedisCounts(settings.REDIS_URL)
    return ProcessCounts() if request.param == "the process" else Counts(AWAY)


def test_as_many_attempts_are_taken_as_the_limit_says(counts: ProcessCounts | Counts | RedisCounts) -> None:
    assert [counts.take([limit()], KNOWN, 0).counts for _ in range(3)] == [(1,), (2,), (3,)]
    refused = counts.take([limit()], KNOWN, 0)
    assert refused.counts == ()
    assert 55 < refused.wait <= 60


def test_a_refused_attempt_is_counted_by_no_limit(counts: ProcessCounts | Counts | RedisCounts) -> None:
    tight, wide = limit(most=1), limit("vectorpress:attempts:test:wide", most=100)
    counts.take([tight, wide], KNOWN, 0)
    for _ in range(5):
        assert counts.take([tight, wide], KNOWN, 0).wait
    assert counts.take([wide], KNOWN, 0).counts == (2,)


def test_a_block_ends_and_the_next_is_twice_as_long(
    counts: ProcessCounts | Counts | RedisCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = limit(most=1, seconds=1, block=1)
    waits = []
    for _ in range(2):
        wait_until(lambda: not counts.take([quick], KNOWN, 0).wait, 10, "the end of the block")
        waits.append(counts.take([quick], KNOWN, 0).wait)
    assert waits[0] <= 1 < waits[1] <= 2


def test_no_block_is_longer_than_the_longest(
    counts: ProcessCounts | Counts | RedisCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_counts, "LONGEST_BLOCK_SECONDS", 2)
    counts.take([limit(most=1, block=3_600)], KNOWN, 0)
    assert counts.take([limit(most=1, block=3_600)], KNOWN, 0).wait <= 2


def test_a_known_caller_is_held_to_the_first_limits_only(settings: Settings, clean_cache: None) -> None:
    own, shared = limit(most=2), limit("vectorpress:attempts:test:shared", most=1)
    for counts in (RedisCounts(settings.REDIS_URL), ProcessCounts()):
        assert counts.take([own, shared], KNOWN, 1).counts == (1, 1)
        assert counts.take([own, shared], KNOWN, 1).wait
        counts.remember(KNOWN, 60)
        assert counts.take([own, shared], KNOWN, 1).counts == (2,)
        assert counts.take([own, shared], KNOWN, 1).wait


def test_a_returned_attempt_was_not_counted(settings: Settings, clean_cache: None) -> None:
    for counts in (RedisCounts(settings.REDIS_URL), ProcessCounts()):
        counts.take([limit()], KNOWN, 0)
        for _ in range(3):
            counts.give_back([limit().key])
        assert counts.take([limit()], KNOWN, 0).counts == (1,)
        counts.forget([limit().key])
        assert counts.take([limit()], KNOWN, 0).counts == (1,)


def test_a_burst_of_threads_gets_no_more_than_the_limit(settings: Settings, clean_cache: None) -> None:
    for counts in (RedisCounts(settings.REDIS_URL), ProcessCounts()):
        taken = []
        threads = [
            threading.Thread(target=lambda: taken.append(counts.take([limit()], KNOWN, 0)))  # noqa: B023
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(not one.wait for one in taken) == 3


def test_a_process_holds_a_bounded_number_of_keys_and_keeps_those_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt_counts, "_KEYS_HELD", 10)
    counts = ProcessCounts()
    for number in range(50):
        counts.take([limit("in use", most=100), limit(str(number))], KNOWN, 0)
    assert len(counts._held) == 10
    assert counts.take([limit("in use", most=100)], KNOWN, 0).counts == (51,)


def test_counts_in_redis_forget_themselves(settings: Settings, clean_cache: None) -> None:
    counts = RedisCounts(settings.REDIS_URL)
    for _ in range(3):
        counts.take([limit()], KNOWN, 0)
    keys = counts._redis.keys("vectorpress:attempts:test:*")
    assert len(keys) == 2
    assert all(counts._redis.ttl(key) > 0 for key in keys)


def test_a_redis_that_is_away_is_asked_once(caplog: pytest.LogCaptureFixture) -> None:
    counts = Counts(AWAY)
    for _ in range(20):
        counts.take([limit()], KNOWN, 0)
    assert caplog.text.count("attempts are counted per process") == 1


FOREVER = 2**62
FORGERIES = {
    "a year": lambda redis, key: redis.set(key, 3, ex=315_360_000),
    "longer than there is time": lambda redis, key: redis.set(key, 3, px=FOREVER),
    "without an end": lambda redis, key: redis.set(key, 3),
    "far over the limit": lambda redis, key: redis.set(key, 999_999_999, px=FOREVER),
    "too large to add to": lambda redis, key: redis.set(key, 2**63 - 1),
    "negative": lambda redis, key: redis.set(key, -1_000_000),
    "a fraction": lambda redis, key: redis.set(key, "2.5"),
    "a leading zero": lambda redis, key: redis.set(key, "03"),
    "not a number": lambda redis, key: redis.set(key, "nan"),
    "empty": lambda redis, key: redis.set(key, ""),
    "huge": lambda redis, key: redis.set(key, "1" * 1_000_000),
    "a list": lambda redis, key: redis.rpush(key, 1),
    "a hash": lambda redis, key: redis.hset(key, "a", 1),
    "a stream": lambda redis, key: redis.xadd(key, {"a": 1}),
}


@pytest.fixture(params=FORGERIES)
def forge(request: pytest.FixtureRequest) -> Callable[..., object]:
    return FORGERIES[request.param]


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("window", [60, 3_600])
def test_a_forged_count_neither_blocks_for_longer_nor_lets_anybody_guess_on(
    settings: Settings,
    clean_cache: None,
    caplog: pytest.LogCaptureFixture,
    forge: Callable[..., object],
    window: int,
    is_known: bool,
) -> None:
    counts = Counts(settings.REDIS_URL)
    redis = counts._shared._redis
    if is_known:
        counts.settle(known=KNOWN, seconds=60)
    forge(redis, limit().key)
    takes = [counts.take([limit(seconds=window)], KNOWN, 1) for _ in range(10)]
    assert sum(not one.wait for one in takes) <= 3
    assert takes[-1].wait
    assert all(one.wait <= attempt_counts.LONGEST_BLOCK_SECONDS for one in takes)
    assert 0 < redis.ttl(limit().key) <= attempt_counts.LONGEST_BLOCK_SECONDS
    assert "Redis" not in caplog.text


def test_a_forged_number_of_blocks_makes_no_block_longer_than_the_longest(
    settings: Settings, clean_cache: None, caplog: pytest.LogCaptureFixture, forge: Callable[..., object]
) -> None:
    counts = Counts(settings.REDIS_URL)
    redis = counts._shared._redis
    forge(redis, f"{limit().key}:blocks")
    waits = [counts.take([limit()], KNOWN, 0).wait for _ in range(4)]
    assert waits[:3] == [0, 0, 0]
    assert 0 < waits[3] <= attempt_counts.LONGEST_BLOCK_SECONDS
    assert 0 < redis.ttl(f"{limit().key}:blocks") <= 86_400
    assert "Redis" not in caplog.text


def test_a_forged_count_is_given_back_and_forgotten_like_any_other(
    settings: Settings, clean_cache: None, caplog: pytest.LogCaptureFixture, forge: Callable[..., object]
) -> None:
    counts = Counts(settings.REDIS_URL)
    forge(counts._shared._redis, limit().key)
    counts.settle(give_back=[limit().key])
    forge(counts._shared._redis, limit().key)
    counts.settle(forget=[limit().key])
    assert counts.take([limit()], KNOWN, 0).counts == (1,)
    assert "Redis" not in caplog.text


def test_a_forged_mark_of_a_known_caller_ends(
    settings: Settings, clean_cache: None, forge: Callable[..., object]
) -> None:
    counts = RedisCounts(settings.REDIS_URL)
    forge(counts._redis, KNOWN)
    counts.take([limit()], KNOWN, 0)
    assert 0 < counts._redis.ttl(KNOWN) <= attempt_counts.LONGEST_MARK_SECONDS


def test_a_count_below_its_limit_ends_with_its_window(settings: Settings, clean_cache: None) -> None:
    counts = RedisCounts(settings.REDIS_URL)
    counts._redis.set(limit().key, 1, px=FOREVER)
    assert counts.take([limit()], KNOWN, 0).counts == (2,)
    assert 0 < counts._redis.ttl(limit().key) <= 60
