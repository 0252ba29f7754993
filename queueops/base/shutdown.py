"""Lets a batch wait a while for its provider, unless its process was told to stop."""

import threading
from typing import Any

_stop = threading.Event()


def rest(seconds: float) -> bool:
    """Waits for so long; False, and at once, where the process is to stop."""
    return not _stop.wait(seconds)


def is_over() -> bool:
    """Whether the process is to stop."""
    return _stop.is_set()


def begin(**_: Any) -> None:
    """Listens to worker_booted."""
    _stop.clear()


def end(**_: Any) -> None:
    """Listens to worker_stopping: whoever waits goes on at once."""
    _stop.set()
