"""What is remembered, for how long, and who asks."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from lib.timed_cache import TimedCache


def test_an_answer_is_believed_for_its_time_and_until_it_is_forgotten() -> None:
    numbers = count(1)
    remembered = TimedCache(lambda: next(numbers), 60)
    assert [remembered.get(), remembered.get()] == [1, 1]
    remembered.forget()
    assert remembered.get() == 2


def test_an_answer_whose_time_is_over_is_asked_for_again() -> None:
    numbers = count(1)
    remembered = TimedCache(lambda: next(numbers), 0)
    assert [remembered.get(), remembered.get()] == [1, 2]


def cache_whose_second_answer_waits() -> tuple[TimedCache[str], threading.Event, threading.Event]:
    """A cache that holds "old", whose time is over; asked again, it sets the first event and awaits the second."""
    answers = iter(["old", "new"])
    asking, may_answer = threading.Event(), threading.Event()

    def ask() -> str:
        answer = next(answers)
        if answer == "new":
            asking.set()
            assert may_answer.wait(10)
        return answer

    remembered = TimedCache(ask, 60)
    remembered.get()
    remembered.keep(0)
    return remembered, asking, may_answer


def test_no_thread_gets_an_old_answer_while_another_is_asking() -> None:
    remembered, asking, may_answer = cache_whose_second_answer_waits()
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(remembered.get)
        assert asking.wait(10)
        others = [threads.submit(remembered.get) for _ in range(7)]
        may_answer.set()
        assert {first.result(10), *(other.result(10) for other in others)} == {"new"}


def test_an_old_answer_is_taken_where_the_new_one_does_not_come() -> None:
    remembered, asking, may_answer = cache_whose_second_answer_waits()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(remembered.get)
        assert asking.wait(10)
        assert remembered.get() == "old"
        may_answer.set()
        assert first.result(10) == "new"
    assert remembered.get() == "new"


def test_an_answer_from_before_a_change_is_not_remembered_after_it() -> None:
    numbers = count(1)

    def ask() -> int:
        number = next(numbers)
        if number == 1:
            remembered.forget()  # somebody changes it after it was read
        return number

    remembered = TimedCache(ask, 60)
    assert [remembered.get(), remembered.get(), remembered.get()] == [1, 2, 2]


def test_an_error_is_not_remembered_and_the_last_answer_may_be_kept() -> None:
    outcomes: Iterator[str | Exception] = iter(["read", ZeroDivisionError("not read"), "read again"])

    def ask() -> str:
        if isinstance(outcome := next(outcomes), Exception):
            raise outcome
        return outcome

    remembered = TimedCache(ask, 60)
    assert remembered.keep(60) is None
    remembered.get()
    remembered.keep(0)
    with pytest.raises(ZeroDivisionError):
        remembered.get()
    assert remembered.keep(60) == "read"
    assert remembered.get() == "read"
