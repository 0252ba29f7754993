"""Threads of a process claim beside each other, or one of them with nothing beside it."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from queueops.worker.exclusive_claims import ExclusiveClaims
from tests.waiting import wait_until


@pytest.fixture
def exclusive() -> ExclusiveClaims:
    return ExclusiveClaims(lambda: 60.0)


class Other:
    """Another thread in one of the two contexts, until it is let go."""

    def __init__(self, context: Callable[..., Any], is_stopping: Callable[[], bool] = lambda: False) -> None:
        self.answer: bool | None = None
        self._go = threading.Event()
        self._thread = threading.Thread(target=self._run, args=[context, is_stopping])
        self._thread.start()

    def _run(self, context: Callable[..., Any], is_stopping: Callable[[], bool]) -> None:
        with context(is_stopping) as self.answer:
            self._go.wait(10)

    def settled(self) -> bool | None:
        wait_until(lambda: self.answer is not None)
        return self.answer

    def end(self) -> None:
        self._go.set()
        self._thread.join(10)


def never() -> bool:
    return False


def test_many_hold_something_beside_each_other(exclusive: ExclusiveClaims) -> None:
    with exclusive.beside_others(never) as first, exclusive.beside_others(never) as second:
        assert (first, second) == (True, True)


def test_the_only_one_waits_for_the_others_and_nobody_begins_meanwhile(exclusive: ExclusiveClaims) -> None:
    before = Other(exclusive.beside_others)
    wait_until(lambda: before.answer)
    only = Other(exclusive.only)
    wait_until(lambda: exclusive._only is not None)
    after = Other(exclusive.beside_others)
    assert (only.answer, after.answer) == (None, None)
    before.end()
    wait_until(lambda: only.answer)
    assert after.answer is None
    only.end()
    wait_until(lambda: after.answer)
    after.end()


def test_a_process_that_stops_waits_for_nobody(exclusive: ExclusiveClaims) -> None:
    with exclusive.only(never):
        for context in (exclusive.only, exclusive.beside_others):
            waiting = Other(context, is_stopping=lambda: True)
            assert waiting.settled() is False
            waiting.end()


def test_a_hanging_batch_counts_no_more() -> None:
    seconds = [60.0]
    exclusive = ExclusiveClaims(lambda: seconds[0])
    with exclusive.beside_others(never):
        only = Other(exclusive.only)
        seconds[0] = 0.0
        wait_until(lambda: only.answer)
        with exclusive.beside_others(never) as may_begin:
            assert may_begin
        only.end()
