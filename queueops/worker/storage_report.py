"""Records that the database refuses this process's vectors: on its worker row while that lasts, and in the audit log
when it starts and ends, as soon as that log accepts rows."""

import threading
from collections import deque
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from queueops.engine import storage_probe
from queueops.engine.storage_breaker import Refused
from queueops.models import AuditLog, Level, Worker

_MESSAGE_CHARACTERS = 500
_MOST_ENTRIES = 20


class Report:
    """Remembers what was last written for which worker, and the audit rows that could not be written yet."""

    def __init__(self) -> None:
        self._written: tuple[int, str] | None = None
        self._entries: deque[dict[str, Any]] = deque(maxlen=_MOST_ENTRIES)
        self._lock = threading.Lock()

    def write(self, worker_id: int) -> None:
        """Brings the worker's row up to date if it is not, then the audit log: the refusal may be that log's own.
        Raises DatabaseError; the next call then retries."""
        now = storage_probe.brake.now
        reason = str(now.refusal) if now else ""
        with self._lock:
            before = self._written[1] if self._written and self._written[0] == worker_id else ""
            if reason != before:
                Worker.objects.filter(pk=worker_id).update(**_columns(now))
                self._written = worker_id, reason
                if bool(reason) != bool(before):
                    self._entries.append(_entry(worker_id, now, before))
            while self._entries:
                AuditLog.objects.create(**self._entries[0])
                self._entries.popleft()


def _columns(now: Refused | None) -> dict[str, Any]:
    since = Now() - timedelta(seconds=now.seconds) if now else None
    return {"refusal": str(now.refusal)[:_MESSAGE_CHARACTERS] if now else "", "refused_since": since}


def _entry(worker_id: int, now: Refused | None, before: str) -> dict[str, Any]:
    if now is None:
        message = f"the database accepts vectors again; worker {worker_id} resumes (was: {before})"
        return {"category": "engine", "message": message[:_MESSAGE_CHARACTERS]}
    message = (
        f"the database does not accept vectors ({now.refusal}): "
        f"worker {worker_id} keeps its vectors and stops claiming"
    )
    return {"category": "engine", "level": Level.ERROR, "message": message[:_MESSAGE_CHARACTERS]}


report = Report()
