"""The alarm rings once, at the earliest time anybody asked for."""

import threading
import time

from queueops.alarm import Alarm
from tests.waiting import wait_until


def test_it_rings_once_at_the_earliest_time():
    rung: list[float] = []
    alarm = Alarm(lambda: rung.append(time.monotonic()))
    began = time.monotonic()
    for seconds in (60, 0.2, 30, 0.3):
        alarm.ring_in(seconds)
    wait_until(lambda: rung)
    assert rung[0] - began >= 0.2
    assert not [t for t in threading.enumerate() if isinstance(t, threading.Timer) and t.interval == 0.3]


def test_it_can_be_set_again_after_it_rang():
    rung: list[int] = []
    alarm = Alarm(lambda: rung.append(1))
    alarm.ring_in(0.01)
    wait_until(lambda: len(rung) == 1)
    alarm.ring_in(0.01)
    wait_until(lambda: len(rung) == 2)
