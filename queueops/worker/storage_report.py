"""Records that the database refuses this process's vectors: on its worker row while that lasts, and in the audit log
when it starts and ends."""

import threading
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from queueops.engine import storage_probe
from queueops.engine.storage_breaker import Refused
from queueops.models import AuditLog, Level, Worker

_MESSAGE_CHARACTERS = 500


class Report:
    """Remembers what was last written for which worker."""

    def __init__(self) -> None:
        self._written: tuple[int, str] | None = None
        self._lock = threading.Lock()

    def write(self, worker_id: int) -> None:
        """Brings the worker's row up to date if it is not. Raises DatabaseError; the next call then retries."""
        now = storage_probe.brake.now
        reason = str(now.refusal) if now else ""
        with self._lock:
            before = self._written[1] if self._written and self._written[0] == worker_id else ""
            if reason == before:
                return
            with transaction.atomic():
                Worker.objects.filter(pk=worker_id).update(**_columns(now))
                if bool(reason) != bool(before):
                    AuditLog.objects.create(**_entry(worker_id, now, before))
            self._written = worker_id, reason


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
