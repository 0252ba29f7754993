"""Works off due tasks without the broker: while it accepts no wake-ups, no actor runs."""

import threading
from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from queueops.engine import storage_probe
from queueops.wakeups import broker_health
from queueops.worker.drain import drain

# As long as an actor's; the broker is checked between two slices.
_SLICE_SECONDS = 20.0

log = structlog.get_logger(__name__)


class BrokerlessWorker:
    """Runs as many threads as the process has for its actors, as long as tasks are due and the broker is down."""

    def __init__(self, is_stopping: Callable[[], bool]) -> None:
        self._is_stopping = is_stopping
        self._threads: list[threading.Thread] = []

    def work(self, worker_id: int) -> None:
        """Starts the threads, without waiting for them; does nothing while any of them still runs."""
        if any(thread.is_alive() for thread in self._threads):
            return
        log.warning("the broker accepts no wake-ups; working without it")
        self._threads = [
            threading.Thread(target=self._work, args=[worker_id], name=f"brokerless {number}", daemon=True)
            for number in range(settings.EMBEDDING_WORKER_THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self, worker_id: int) -> None:
        try:
            while drain(worker_id, seconds=_SLICE_SECONDS, is_stopping=self._is_stopping).is_more:
                if not broker_health.problem():
                    return
        except (DatabaseError, InterfaceError) as error:
            storage_probe.noted(error)  # the next sweep retries
        finally:
            connection.close()
