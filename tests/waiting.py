"""How tests wait: on a condition, with a deadline, never for a time."""

import time
from collections.abc import Callable


def wait_until[T](condition: Callable[[], T | None], seconds: float = 10.0, what: str = "the condition") -> T:
    """The first true answer of `condition`; fails the test when there is none in time."""
    ends = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < ends, f"waited {seconds:g} s for {what}"
        time.sleep(0.02)
    return answer
