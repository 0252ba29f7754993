"""Works off what is due without the broker: while it takes no ring, no actor would ever run."""

import threading
from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from queueops.engine import storage_probe
from queueops.wakeups import broker_health
from queueops.worker.drain import drain

# As long as an actor's: in between it is asked whether the broker is back.
_SLICE_SECONDS = 20.0

log = structlog.get_logger(__name__)


class BrokerlessWorker:
    """As many threads as the process has for its actors, for as long as there is work and no broker."""

    def __init__(self, is_stopping: Callable[[], bool]) -> None:
        self._is_stopping = is_stopping
        self._threads: list[threading.Thread] = []

    def work(self, worker_id: int) -> None:
        """Has what is due worked off, beside whoever asks; does nothing while that is still being done."""
        if any(thread.is_alive() for thread in self._threads):
            return
        log.warning("the broker takes no rings; working without them")
        self._threads = [
            threading.Thread(target=self._work, args=[worker_id], name=f"stand-in {number}", daemon=True)
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
            storage_probe.noted(error)  # the next sweep tries again
        finally:
            connection.close()
