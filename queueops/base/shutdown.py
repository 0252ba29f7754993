"""The stop flag of the process, and waits that end with it."""

import threading
from typing import Any

_stop = threading.Event()


def rest(seconds: float) -> bool:
    """Waits for `seconds`; returns False at once if the process is to stop."""
    return not _stop.wait(seconds)


def is_over() -> bool:
    """Whether the process is to stop."""
    return _stop.is_set()


def begin(**_: Any) -> None:
    """Listens to worker_booted."""
    _stop.clear()


def end(**_: Any) -> None:
    """Listens to worker_stopping: ends all waits."""
    _stop.set()
