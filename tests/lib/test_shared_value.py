"""A value that many threads ask for."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.shared_value import ReadingTimeout, SharedValue
from tests.waiting import wait_until


def test_hundreds_who_ask_at_once_share_one_reading() -> None:
    reads: list[int] = []
    may_end = threading.Event()

    def read() -> int:
        reads.append(1)
        may_end.wait(10)
        return len(reads)

    held = SharedValue(read, seconds=60, patience=60)
    with ThreadPoolExecutor(40) as threads:
        answers = [threads.submit(held.get) for _ in range(400)]
        may_end.set()
        assert {answer.result(10) for answer in answers} == {1}
    held.forget()
    assert held.get() == 2


def test_a_reading_that_hangs_is_waited_for_only_so_long() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def read() -> bool:
        begun.set()
        return may_end.wait(10)

    held = SharedValue(read, seconds=60, patience=0.1)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(held.get)
        assert begun.wait(10)
        for _ in range(3):
            with pytest.raises(ReadingTimeout):
                held.get()
        with pytest.raises(ReadingTimeout):
            first.result(10)
        may_end.set()
        assert wait_until(lambda: answered(held))


def answered(held: SharedValue[bool]) -> bool:
    """Whether the reading that hung has ended and its value is given out."""
    try:
        return held.get()
    except ReadingTimeout:
        return False


def test_an_old_value_is_read_again() -> None:
    values = iter(range(10))
    held = SharedValue(lambda: next(values), seconds=0, patience=1)
    assert held.get() < held.get()


def test_a_reading_that_fails_is_tried_by_the_next() -> None:
    outcomes = iter([ZeroDivisionError("first"), None])

    def read() -> str:
        if error := next(outcomes):
            raise error
        return "read"

    held = SharedValue(read, seconds=60, patience=1)
    with pytest.raises(ZeroDivisionError):
        held.get()
    assert held.get() == "read"
