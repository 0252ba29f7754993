"""One worker process: Dramatiq's threads, until a stop signal or until its supervisor is gone."""

import os
import signal
from collections.abc import Collection
from queue import Empty, SimpleQueue
from types import FrameType

import dramatiq
import structlog
from django.db import DatabaseError, InterfaceError, connection

from queueops.engine import worker_loss
from queueops.models import Metric
from queueops.worker import startup_probe

_LOOK_SECONDS = 1.0

log = structlog.get_logger(__name__)


class WorkerProcess:
    """`supervisor` is the pid of its supervisor (process_supervisor.py). SIGTERM stops it gracefully, a second one at
    once; Ctrl-C is left to the supervisor."""

    def __init__(self, supervisor: int) -> None:
        self._supervisor = supervisor
        self._asked: SimpleQueue[int] = SimpleQueue()

    def run(self, threads: int, queues: Collection[str] | None, milliseconds: int) -> None:
        """Works until stopped; then threads have `milliseconds` to finish."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)
        broker = dramatiq.get_broker()
        broker.emit_after("process_boot")
        worker = dramatiq.Worker(broker, queues=set(queues) if queues else None, worker_threads=threads)
        worker.start()
        startup_probe.begin()
        self._wait()
        worker.stop(timeout=milliseconds)
        broker.close()

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self._asked.put(number)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _wait(self) -> None:
        while os.getppid() == self._supervisor:
            try:
                self._asked.get(timeout=_LOOK_SECONDS)
            except Empty:
                continue
            return


def note_end(how: str) -> None:
    """Records for health that the process before this one ended unasked, if the database accepts it."""
    try:
        Metric.objects.create(name=worker_loss.ENDED, value=1, labels={"how": how})
    except (DatabaseError, InterfaceError) as error:
        log.warning("a worker process ended", how=how, not_written=type(error).__name__)
    finally:
        connection.close()
