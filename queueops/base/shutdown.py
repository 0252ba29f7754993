"""The one flag that says that this process is to stop."""

import threading
from typing import Any

_requested = threading.Event()


def sleep(seconds: float) -> bool:
    """Waits so long; False, and at once, when the process is to stop."""
    return not _requested.wait(seconds)


def is_requested() -> bool:
    """Whether the process is to stop."""
    return _requested.is_set()


def clear(**_: Any) -> None:
    """Listens to worker_booted."""
    _requested.clear()


def request(**_: Any) -> None:
    """Listens to worker_stopping: a thread that sleeps wakes at once, and the actors claim nothing more."""
    _requested.set()
