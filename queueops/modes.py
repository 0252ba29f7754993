"""How the installation runs right now: queued, synchronous or disabled."""

import time

from django.conf import settings

from queueops.models import Mode, QueueState

# "seen by every process within a second": a change in the row is read this much later at the latest
_SECONDS = 1.0


_remembered: tuple[Mode, float] | None = None  # the mode, and until when to believe it


def of_settings() -> Mode:
    """What the environment asks for."""
    if not settings.SEMANTIC_SEARCH_ENABLED:
        return Mode.DISABLED
    return Mode.QUEUED if settings.EMBEDDING_QUEUE_ENABLED else Mode.SYNCHRONOUS


def current() -> Mode:
    """The mode in force: what an operator has persisted, else what the settings say."""
    global _remembered
    if _remembered is None or time.monotonic() >= _remembered[1]:
        persisted = QueueState.objects.filter(pk=1).values_list("mode", flat=True).first()
        mode = Mode(persisted) if persisted else of_settings()
        _remembered = (mode, time.monotonic() + _SECONDS)
        return mode
    return _remembered[0]


def forget() -> None:
    """Reads the row again at the next question (after a change by this process)."""
    global _remembered
    _remembered = None
