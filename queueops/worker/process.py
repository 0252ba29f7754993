"""One worker process: Dramatiq's threads, until it is told to stop or whoever keeps it is gone."""

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

_LOOK_SECONDS = 1.0

log = structlog.get_logger(__name__)


class WorkerProcess:
    """`keeper` is the pid of its supervisor (process_supervisor.py). SIGTERM stops it in good order, a second one at
    once; Ctrl-C is the supervisor's."""

    def __init__(self, keeper: int) -> None:
        self._keeper = keeper
        self._asked: SimpleQueue[int] = SimpleQueue()

    def run(self, threads: int, queues: Collection[str] | None, milliseconds: int) -> None:
        """Works; at the end, threads have so many milliseconds to end their work."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)
        broker = dramatiq.get_broker()
        broker.emit_after("process_boot")
        worker = dramatiq.Worker(broker, queues=set(queues) if queues else None, worker_threads=threads)
        worker.start()
        self._wait()
        worker.stop(timeout=milliseconds)
        broker.close()

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self._asked.put(number)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _wait(self) -> None:
        while os.getppid() == self._keeper:
            try:
                self._asked.get(timeout=_LOOK_SECONDS)
            except Empty:
                continue
            return


def note_end(how: str) -> None:
    """Writes down for health that the process before this one ended by itself, where the database takes it."""
    try:
        Metric.objects.create(name=worker_loss.ENDED, value=1, labels={"how": how})
    except (DatabaseError, InterfaceError) as error:
        log.warning("a worker process ended", how=how, not_written=type(error).__name__)
    finally:
        connection.close()
