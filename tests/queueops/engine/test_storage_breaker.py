"""While the database refuses vectors, one caller at a time retries, at growing intervals."""

import pytest

from queueops.base.database_refusals import Blame, Refusal
from queueops.engine.storage_breaker import FIRST_WAIT, LONGEST_WAIT, StorageBrake

FULL = Refusal("53100", Blame.DATABASE, "no space")
READ_ONLY = Refusal("25006", Blame.DATABASE, "read-only")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def rest(self, seconds: float) -> bool:
        self.now += seconds
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def brake(clock: Clock) -> StorageBrake:
    return StorageBrake(clock)


def test_without_a_refusal_everybody_goes_on(brake: StorageBrake) -> None:
    assert (brake.ask(), brake.left, brake.is_on, brake.now) == (0.0, 0.0, False, None)


def test_one_caller_has_the_turn_and_the_waits_grow(brake: StorageBrake, clock: Clock) -> None:
    brake.refused(FULL)
    waits = []
    for _ in range(10):
        waits.append(brake.ask())
        clock.now += waits[-1]
        assert brake.ask() == 0.0
        assert brake.ask() > 0
        brake.refused(FULL)
    assert waits[:4] == [FIRST_WAIT, FIRST_WAIT * 2, FIRST_WAIT * 4, FIRST_WAIT * 8]
    assert waits[-1] == LONGEST_WAIT


def test_what_was_under_way_when_it_began_makes_no_wait_longer(brake: StorageBrake) -> None:
    assert brake.refused(FULL)
    assert not any(brake.refused(FULL) for _ in range(8))
    assert brake.left == FIRST_WAIT


def test_another_reason_is_news(brake: StorageBrake, clock: Clock) -> None:
    brake.refused(FULL)
    clock.now += 7
    assert brake.refused(READ_ONLY)
    assert brake.now is not None
    assert (brake.now.refusal, brake.now.seconds) == (READ_ONLY, 7)


def test_once_vectors_are_accepted_all_resume_and_the_next_refusal_starts_over(
    brake: StorageBrake, clock: Clock
) -> None:
    brake.refused(FULL)
    clock.now += 500
    brake.ask()
    assert brake.accepted()
    assert not brake.accepted()
    assert brake.ask() == 0.0
    brake.refused(FULL)
    assert brake.ask() == FIRST_WAIT


def test_every_waiting_caller_gets_a_turn(brake: StorageBrake, clock: Clock) -> None:
    brake.refused(FULL)
    assert brake.await_turn(clock.now + 60, clock.rest)
    assert clock.now == 100 + FIRST_WAIT


def test_the_wait_ends_with_its_time(brake: StorageBrake, clock: Clock) -> None:
    brake.refused(FULL)
    assert not brake.await_turn(clock.now + FIRST_WAIT / 2, clock.rest)
    assert clock.now == 100 + FIRST_WAIT / 2


def test_a_process_that_stops_does_not_wait(brake: StorageBrake, clock: Clock) -> None:
    brake.refused(FULL)
    assert not brake.await_turn(clock.now + 60, lambda seconds: False)
