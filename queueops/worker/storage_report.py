"""Writes down, for those who look at the queue, that this process finds no room for its vectors: on its worker's row
while that lasts, and in the audit log when it begins and ends."""

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
    """What was last written for which worker."""

    def __init__(self) -> None:
        self._written: tuple[int, str] | None = None
        self._lock = threading.Lock()

    def write(self, worker_id: int) -> None:
        """Brings the worker's row up to date; does nothing where it is. Raises DatabaseError, and then tries again at
        the next call."""
        now = storage_probe.brake.now
        said = str(now.refusal) if now else ""
        with self._lock:
            before = self._written[1] if self._written and self._written[0] == worker_id else ""
            if said == before:
                return
            with transaction.atomic():
                Worker.objects.filter(pk=worker_id).update(**_columns(now))
                if bool(said) != bool(before):
                    AuditLog.objects.create(**_entry(worker_id, now, before))
            self._written = worker_id, said


def _columns(now: Refused | None) -> dict[str, Any]:
    since = Now() - timedelta(seconds=now.seconds) if now else None
    return {"refusal": str(now.refusal)[:_MESSAGE_CHARACTERS] if now else "", "refused_since": since}


def _entry(worker_id: int, now: Refused | None, before: str) -> dict[str, Any]:
    if now is None:
        said = f"the database takes vectors again; worker {worker_id} goes on (it was: {before})"
        return {"category": "engine", "message": said[:_MESSAGE_CHARACTERS]}
    said = (
        f"the database takes no vectors ({now.refusal}): worker {worker_id} keeps its own and claims nothing"
    )
    return {"category": "engine", "level": Level.ERROR, "message": said[:_MESSAGE_CHARACTERS]}


report = Report()
