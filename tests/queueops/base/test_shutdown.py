"""A wait that the end of the process cuts short."""

import threading
import time

from queueops.base import shutdown


def test_a_wait_ends_with_its_time() -> None:
    assert shutdown.sleep(0)
    assert shutdown.sleep(0.01)
    assert not shutdown.is_requested()


def test_in_a_process_that_stops_nobody_waits() -> None:
    shutdown.request()
    began = time.monotonic()
    assert not shutdown.sleep(60)
    assert not shutdown.sleep(0)
    assert time.monotonic() - began < 10
    assert shutdown.is_requested()


def test_a_waiting_thread_wakes_at_once() -> None:
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(shutdown.sleep(60)))
    waiting.start()
    shutdown.request(sender=None)
    waiting.join(10)
    assert answers == [False]


def test_a_process_that_begins_again_waits_again() -> None:
    shutdown.request()
    shutdown.clear(sender=None)
    assert not shutdown.is_requested()
    assert shutdown.sleep(0)
