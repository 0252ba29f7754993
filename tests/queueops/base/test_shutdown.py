"""A wait that the end of the process cuts short."""

import threading
import time

from queueops.base import shutdown


def test_a_wait_ends_with_its_time():
    assert shutdown.rest(0)
    assert shutdown.rest(0.01)
    assert not shutdown.is_over()


def test_in_a_process_that_stops_nobody_waits():
    shutdown.end()
    began = time.monotonic()
    assert not shutdown.rest(60)
    assert not shutdown.rest(0)
    assert time.monotonic() - began < 10
    assert shutdown.is_over()


def test_who_waits_already_goes_on_at_once():
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(shutdown.rest(60)))
    waiting.start()
    shutdown.end(sender=None)
    waiting.join(10)
    assert answers == [False]


def test_a_process_that_begins_again_waits_again():
    shutdown.end()
    shutdown.begin(sender=None)
    assert not shutdown.is_over()
    assert shutdown.rest(0)
