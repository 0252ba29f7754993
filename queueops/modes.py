"""How the installation runs right now: queued, synchronous or disabled."""

import threading
import time

from django.conf import settings

from queueops.models import Mode, QueueState

# "seen by every process within a second": a change in the row is read this much later at the latest
_SECONDS = 1.0


class _Remembered(threading.local):
    mode: Mode | None = None
    until: float = 0.0


_remembered = _Remembered()


def of_settings() -> Mode:
    """What the environment asks for."""
    if not settings.SEMANTIC_SEARCH_ENABLED:
        return Mode.DISABLED
    return Mode.QUEUED if settings.EMBEDDING_QUEUE_ENABLED else Mode.SYNCHRONOUS


def current() -> Mode:
    """The mode in force: what an operator has persisted, else what the settings say."""
    if _remembered.mode is None or time.monotonic() >= _remembered.until:
        persisted = QueueState.objects.filter(pk=1).values_list("mode", flat=True).first()
        _remembered.mode = Mode(persisted) if persisted else of_settings()
        _remembered.until = time.monotonic() + _SECONDS
    return _remembered.mode


def forget() -> None:
    """Reads the row again at the next question (after a change by this process)."""
    _remembered.mode = None
