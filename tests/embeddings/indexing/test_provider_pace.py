"""A provider's measured speed decides how much one request carries, how many are under way, and what is long."""

import functools
import threading
import time
from collections.abc import Callable

import pytest

from embeddings.indexing import provider_pace
from embeddings.indexing.provider_pace import AIM_SECONDS, FIRST_TOKENS, Pace, Speed, Width
from tests.waiting import wait_until


def rooms(rate: float, requests: int) -> list[int]:
    """How many tokens each request has, of a provider that embeds so many per second."""
    speed, sizes = Speed(), list[int]()
    for _ in range(requests):
        sizes.append(speed.room)
        speed.answered(speed.room, speed.room / rate, 1)
    return sizes


def test_the_first_request_has_about_one_chunk() -> None:
    assert rooms(1_000_000.0, 1) == [256]


def test_a_quick_provider_is_soon_asked_for_as_much_as_it_takes() -> None:
    assert rooms(1_000_000.0, 4) == [256, 4_096, 65_536, 1_048_576]
    assert Speed().long_bytes is None


@pytest.mark.parametrize("rate", [30.0, 100.0, 400.0])
def test_a_slow_provider_is_asked_for_what_takes_ten_seconds_after_one_request(rate: float) -> None:
    assert rooms(rate, 3)[1:] == [max(256, int(rate * AIM_SECONDS))] * 2


def test_one_that_needs_longer_than_that_for_a_chunk_is_asked_for_less() -> None:
    first, *others = rooms(5.0, 4)
    assert first == 256
    assert others == [50, 50, 50]


def test_a_request_that_took_too_long_makes_the_next_as_large_as_fits() -> None:
    speed = Speed()
    speed.answered(2_000, 40.0, 1)
    assert speed.room == 500


def test_a_request_that_was_not_answered_makes_the_next_a_quarter_of_its_size() -> None:
    speed = Speed()
    speed.unanswered(200, 120.0)
    assert speed.room == 50
    for _ in range(10):
        speed.unanswered(100, 120.0)
    assert speed.room == 1


def test_a_refusal_at_once_says_nothing() -> None:
    speed = Speed()
    speed.unanswered(2_000, 0.1)
    assert speed.room == FIRST_TOKENS


def test_what_is_long_follows_from_the_speed_of_all_requests_together() -> None:
    speed = Speed()
    speed.answered(2_000, 2.0, at_once=4)
    assert speed.tokens_per_second == 4_000
    assert speed.long_bytes == 4_000 * provider_pace.LONG_SECONDS * 3


def test_a_single_slow_answer_makes_nobody_slow_for_long() -> None:
    speed = Speed()
    speed.answered(30, 1.5, 1)
    assert speed.long_bytes == provider_pace.LEAST_LONG_BYTES
    speed.answered(60_000, 0.3, 1)
    assert speed.long_bytes is None


def test_small_quick_requests_do_not_make_a_provider_look_slower_than_it_is() -> None:
    speed = Speed()
    speed.answered(20_000, 2.0, 1)
    for _ in range(20):
        speed.answered(30, 0.4, 1)
    assert speed.tokens_per_second == 10_000


def simulated(rate_of: Callable[[int], float], rounds: int = 200) -> int | None:
    """The limit after so many requests, each one of as many as are allowed; from eight threads."""
    width = Width()
    width.measured(8, rate_of(8))
    for _ in range(rounds):
        assert width.limit is not None
        width.measured(width.limit, rate_of(width.limit))
    return width.limit


def test_a_provider_that_computes_one_after_another_gets_as_few_at_once_as_keep_it_busy() -> None:
    assert simulated(lambda at_once: 1_000.0) == provider_pace.LEAST_AT_ONCE


def test_a_provider_that_computes_all_side_by_side_keeps_them() -> None:
    assert simulated(lambda at_once: 1_000.0 * at_once) == 8


def test_one_that_computes_four_side_by_side_gets_about_four() -> None:
    limit = simulated(lambda at_once: 1_000.0 * min(at_once, 4))
    assert limit is not None
    assert 4 <= limit <= 5


def request(line: Pace, tokens: int, ahead: int, done: list[int], hold: threading.Event) -> threading.Thread:
    def run() -> None:
        with line.request(tokens, ahead, lambda: False):
            hold.wait(10)
        done.append(ahead)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def has_waiting(line: Pace, count: int) -> bool:
    return len(line._waiting) == count


def test_of_those_that_wait_for_a_slow_provider_whoever_needs_least_goes_first() -> None:
    line, done = Pace(), list[int]()
    line.speed.tokens_per_second = 1_000.0
    line._width.limit = 1
    held, free = threading.Event(), threading.Event()
    free.set()
    threads = [request(line, 10, 1, done, held)]
    wait_until(lambda: line._under_way == 1)
    for number, ahead in enumerate([9_000, 5_000, 100]):
        threads.append(request(line, 10, ahead, done, free))
        wait_until(functools.partial(has_waiting, line, number + 1))
    held.set()
    for thread in threads:
        thread.join()
    assert done == [1, 100, 5_000, 9_000]


def test_who_waits_too_long_for_its_turn_is_told_so() -> None:
    line = Pace()
    line._width.limit = 1
    ends = time.monotonic() + 0.2
    with (
        line.request(10, 10, lambda: False) as first,
        line.request(10, 10, lambda: time.monotonic() > ends) as second,
    ):
        assert (first, second) == (True, False)


@pytest.mark.parametrize("seconds", [AIM_SECONDS / 2, AIM_SECONDS])
def test_a_request_within_its_time_does_not_make_the_next_smaller(seconds: float) -> None:
    speed = Speed()
    speed.answered(FIRST_TOKENS // 8, seconds, 1)
    assert speed.room == FIRST_TOKENS
