"""The timer rings at each requested time, once for equal times."""

import threading
import time

from queueops.wakeups.timer import WakeupTimer
from tests.waiting import wait_until


def test_it_rings_at_each_time_and_not_before() -> None:
    rung: list[float] = []
    alarm = WakeupTimer(lambda: rung.append(time.monotonic()))
    began = time.monotonic()
    for seconds in (60, 0.3, 30, 0.1):
        alarm.ring_in(seconds)
    wait_until(lambda: len(rung) == 2)
    assert rung[0] - began >= 0.1
    assert rung[1] - began >= 0.3


def test_many_who_wait_for_the_same_moment_are_rung_for_once_by_one_timer() -> None:
    rung: list[int] = []
    before = threading.active_count()
    alarm = WakeupTimer(lambda: rung.append(1))
    for n in range(200):
        alarm.ring_in(0.3 + n / 1_000_000)
    assert threading.active_count() <= before + 1
    wait_until(lambda: rung)
    wait_until(lambda: threading.active_count() <= before)
    assert len(rung) <= 2  # the moment may lie across two ticks


def test_it_can_be_set_again_after_it_rang() -> None:
    rung: list[int] = []
    alarm = WakeupTimer(lambda: rung.append(1))
    alarm.ring_in(0.01)
    wait_until(lambda: len(rung) == 1)
    alarm.ring_in(0.01)
    wait_until(lambda: len(rung) == 2)
