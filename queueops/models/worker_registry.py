"""The row of a worker process: created at its start, kept fresh, removed when the process is silent."""

import os
import socket
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from lib import prepared_statements
from queueops.base import database_refusals
from queueops.models import Worker
from queueops.models.worker import ROW_FOR_ALL

# a process that has not been seen for this long is gone
SILENT_AFTER = timedelta(minutes=2)
_BEAT_SECONDS = 5.0
_ATTEMPTS = 100
# A row that another session locks must not hold up a thread after each batch, nor must the disk.
_NOTE = """
UPDATE embedding_worker_status SET last_seen_at = statement_timestamp(), last_claim_at = statement_timestamp(),
    tasks_done = tasks_done + %s::int, tasks_failed = tasks_failed + %s::int
FROM (SELECT set_config('lock_timeout', '500', true), set_config('synchronous_commit', 'off', true)) AS hurried
WHERE id = %s::bigint
"""


def register() -> Worker:
    """Creates this process's row. While any worker is stopped by an operator, a new one starts stopped too: a restart
    must not release the brake. No process gets row 1, which stands for all."""
    name = f"{socket.gethostname()}:{os.getpid()}"
    for _ in range(_ATTEMPTS):
        try:
            with database_refusals.named("embedding_worker_status"), transaction.atomic():
                worker = Worker.objects.create(name=name, is_running=not Worker.objects.stopped().exists())
                if worker.pk != ROW_FOR_ALL:
                    return worker
                worker.delete()
        except IntegrityError:  # a row with an explicit id has the sequence's next value
            continue
    raise RuntimeError("no free id in embedding_worker_status: set its sequence past the highest id")


def claimant(worker_id: int) -> str:
    """The value of `claimed_by` for a worker."""
    return f"worker {worker_id}"


def beat_seconds() -> float:
    """Seconds between two updates of a process's row."""
    return min(settings.EMBEDDING_WORKER_INTERVAL / 1000, _BEAT_SECONDS)


def beat(worker_id: int) -> bool:
    """Updates the process's row; False if the row is gone and it must register again."""
    with database_refusals.named("embedding_worker_status"):
        return bool(Worker.objects.filter(pk=worker_id).update(last_seen_at=Now()))


def note_batch(worker_id: int, done: int, failed: int) -> None:
    """Adds a batch to the worker's counts."""
    with prepared_statements.cursor() as cursor:
        cursor.execute(_NOTE, [done, failed, worker_id])


def unregister(worker_id: int) -> None:
    """Removes the row of a process that ends, unless it holds the brake."""
    Worker.objects.filter(pk=worker_id, is_running=True).delete()


def forget_silent() -> int:
    """Removes rows of silent processes; a stopped row stays, since it is the brake."""
    silent = Worker.objects.filter(is_running=True, last_seen_at__lt=Now() - SILENT_AFTER)
    count, _ = silent.delete()
    return count
