"""The one thread beside a worker's actors: it keeps the process's row fresh and takes its turn at the sweep.

Where the broker takes no ring or gives none out, so that no actor would run, it has the work done that the sweep found
due.
"""

import threading
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from queueops.base import database_refusals, installed
from queueops.engine.table_lock_pause import locked_out
from queueops.maintenance import cleanup, clock_repair, sampler, sweep
from queueops.models import worker_registry
from queueops.wakeups import broker_health, broker_strangers, doorbell
from queueops.worker.brokerless import BrokerlessWorker
from queueops.worker.storage_report import report

_KEYS_SHOWN = 5

log = structlog.get_logger(__name__)


class Housekeeper:
    """`worker_id` is the process's row; `is_stopping` tells the actors to claim nothing more."""

    def __init__(self) -> None:
        self.worker_id: int | None = None
        self._registered = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_idle = False  # the queue's tables are not there
        self._trouble = ""  # the database's, as it was last logged
        self._stand_in = BrokerlessWorker(lambda: self.is_stopping)
        self._clock = clock_repair.Watch()

    @property
    def is_stopping(self) -> bool:
        return self._stop.is_set()

    def start(self, **_: Any) -> None:
        """Listens to worker_booted."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="housekeeper", daemon=True)
        self._thread.start()

    def stop(self, **_: Any) -> None:
        """Listens to worker_stopping: from here on the actors claim nothing more."""
        self._stop.set()
        if self._thread:
            self._thread.join(timeout=1)

    def leave(self, **_: Any) -> None:
        """Listens to worker_stopped: what the process still holds goes back at once, and its row goes away."""
        try:
            if self.worker_id is not None:
                sweep.release_held(worker_registry.claimant(self.worker_id))
                worker_registry.unregister(self.worker_id)
                self.worker_id = None
        except (DatabaseError, InterfaceError):
            log.info("left without a word to the database; leases and the sweep will clear up")
        finally:
            connection.close()

    def registered(self) -> int:
        """The id of this process's row, made when there is none."""
        with self._registered:
            if self.worker_id is None:
                self.worker_id = worker_registry.register().pk
            return self.worker_id

    def _run(self) -> None:
        interval = settings.EMBEDDING_WORKER_INTERVAL / 1000
        if sentence := broker_health.strangers():
            log.warning(f"the broker's database {sentence}", fix=broker_strangers.FIX)
        while True:
            self._once(interval)
            if self._stop.wait(worker_registry.beat_seconds()):
                return

    def _once(self, interval: float) -> None:
        try:
            if not self._has_work_here():
                return
            # one by one: a table that somebody keeps locked holds up what needs it, and nothing else
            locked_out.unless(self._beat)
            locked_out.unless(lambda: self._sweep(interval))
            locked_out.unless(cleanup.clean_if_leader)
            locked_out.unless(sampler.sample_if_due)
            locked_out.is_lasting()
            self._trouble = ""
        except (DatabaseError, InterfaceError) as error:
            self._say(str(database_refusals.of(error)))
        except Exception:  # only this thread keeps the process known: it must outlive any surprise
            log.exception("housekeeper missed a beat")
        finally:
            connection.close()

    def _beat(self) -> None:
        if not worker_registry.beat(self.registered()):
            self.worker_id = None
        report.write(self.registered())

    def _sweep(self, interval: float) -> None:
        is_sure = self._clock.look()
        is_repaired = _repair_broker()
        swept = sweep.sweep_if_leader(timedelta(seconds=interval), with_leases=is_sure)
        if swept and swept.is_due and (is_repaired or broker_health.problem()):
            self._stand_in.work(self.registered())
        if swept and (swept.returned or swept.parked or swept.drifted):
            log.warning("sweep", returned=swept.returned, parked=swept.parked, drifted=swept.drifted)

    def _say(self, trouble: str) -> None:
        """One line for each new reason, since this is tried every few seconds."""
        if trouble != self._trouble:
            log.warning("the database does not answer or takes no writes; trying again", reason=trouble)
        self._trouble = trouble

    def _has_work_here(self) -> bool:
        """Whether the queue is installed; where it was removed meanwhile, the process waits for it to come back."""
        is_there = installed.is_there()
        if self._is_idle is is_there:
            self._is_idle = not is_there
            log.warning("the queue is back" if is_there else f"nothing is done: {installed.NOT_INSTALLED}")
        if not is_there:
            self.worker_id = None
        return is_there


def _repair_broker() -> bool:
    """Each process looks: what keeps its own consumers from fetching, no other can find for sure. Whether there was
    something, which may come back at once."""
    removed = broker_health.repair()
    if removed:
        log.warning(
            "keys of a wrong type removed from the broker", count=len(removed), keys=removed[:_KEYS_SHOWN]
        )
        doorbell.ring()
    return bool(removed)


housekeeper = Housekeeper()
