"""Recurring steps that the database refuses to this process, written down for health."""

import threading
import time

from django.db import DatabaseError, InterfaceError

from queueops.base import database_refusals
from queueops.base.database_refusals import Blame
from queueops.models.metric import STEP_REFUSED, Metric

# A step that stays refused is recorded this often per process; health reads the last half minute.
_SECONDS = 10.0

_lock = threading.Lock()
_recorded: dict[str, tuple[float, str]] = {}  # when, and the reason, by step


def note(step: str, error: Exception) -> None:
    """Writes a refused step down, unless the database is away or another session holds a lock: health reports both."""
    refusal = database_refusals.of(error)
    if refusal.blame not in (Blame.CONNECTION, Blame.LOCK):
        record(step, str(refusal))


def record(step: str, reason: str) -> None:
    """Writes down, at intervals, that the database refuses a step; nothing if it refuses that as well."""
    with _lock:
        before = _recorded.get(step)
        if before and before[1] == reason and time.monotonic() - before[0] < _SECONDS:
            return
        _recorded[step] = time.monotonic(), reason
    try:
        Metric.objects.create(name=STEP_REFUSED, value=1.0, labels={"step": step, "reason": reason})
    except (DatabaseError, InterfaceError):
        with _lock:
            _recorded.pop(step, None)


def forget() -> None:
    """For tests: nothing was recorded."""
    with _lock:
        _recorded.clear()
