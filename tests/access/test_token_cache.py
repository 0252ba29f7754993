"""The memory of tokens that were identified a moment ago."""

import threading
import time

from access.token_cache import Recent


def test_a_value_is_kept_until_its_time_and_no_longer() -> None:
    memory = Recent()
    memory.put(b"good", 1, time.monotonic() + 60)
    memory.put(b"over", 2, time.monotonic())
    assert (memory.get(b"good"), memory.get(b"over"), memory.get(b"unknown")) == (1, None, None)
    memory.forget()
    assert memory.get(b"good") is None


def test_its_size_is_bounded_and_what_is_over_makes_room() -> None:
    memory = Recent(most=3)
    for number in range(10):
        memory.put(b"%d" % number, number, time.monotonic() + 60)
    assert len(memory._kept) == 3
    assert memory.get(b"0") == 0
    memory.forget()
    for number in range(10):
        memory.put(b"%d" % number, number, time.monotonic())
    memory.put(b"new", "new", time.monotonic() + 60)
    assert memory.get(b"new") == "new"


def test_threads_may_use_it_together() -> None:
    memory, failures = Recent(most=50), []

    def use(seed: int) -> None:
        for number in range(500):
            key = b"%d" % (seed * number % 97)
            memory.put(key, key, time.monotonic() + 60)
            if memory.get(key) not in {None, key}:
                failures.append(key)
            if number % 100 == 0:
                memory.forget()

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(memory._kept) <= 50
