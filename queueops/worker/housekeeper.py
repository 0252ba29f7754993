"""The thread beside a worker's actors: it keeps the process's row fresh and takes its turn at the sweep.

If the broker accepts or delivers no wake-ups, so that no actor runs, it starts the work that the sweep found due.
"""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from queueops.base import database_refusals, installed, shutdown
from queueops.base.database_refusals import Blame
from queueops.engine.table_lock_pause import locked_out
from queueops.maintenance import cleanup, clock_repair, reaper, sampler, sweep
from queueops.models import refused_steps, worker_registry
from queueops.models.metric import STATUS_STEP
from queueops.wakeups import broker_health, doorbell, foreign_broker_users
from queueops.worker.brokerless import BrokerlessWorker
from queueops.worker.storage_report import report

_KEYS_SHOWN = 5

log = structlog.get_logger(__name__)


class Housekeeper:
    """`worker_id` is the process's row."""

    def __init__(self) -> None:
        self.worker_id: int | None = None
        self._registered = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_idle = False  # the queue's tables are missing
        self._problem = ""  # of the database, as last logged
        self._brokerless = BrokerlessWorker(shutdown.is_requested)
        self._clock = clock_repair.Watch()

    def start(self, **_: Any) -> None:
        """Listens to worker_booted."""
        self._thread = threading.Thread(target=self._run, name="housekeeper", daemon=True)
        self._thread.start()

    def stop(self, **_: Any) -> None:
        """Listens to worker_stopping: from here on the actors claim nothing more."""
        if self._thread:
            self._thread.join(timeout=1)

    def leave(self, **_: Any) -> None:
        """Listens to worker_stopped: requeues the tasks the process still holds and removes its row."""
        try:
            if self.worker_id is not None:
                reaper.release_held(worker_registry.claimant(self.worker_id))
                worker_registry.unregister(self.worker_id)
                self.worker_id = None
        except (DatabaseError, InterfaceError):
            log.info(
                "stopped without reaching the database; the sweep will return its tasks when their leases end"
            )
        finally:
            connection.close()

    def registered(self) -> int:
        """The id of this process's row, created if missing."""
        with self._registered:
            if self.worker_id is None:
                self.worker_id = worker_registry.register().pk
            return self.worker_id

    def _run(self) -> None:
        interval = settings.EMBEDDING_WORKER_INTERVAL / 1000
        if sentence := broker_health.strangers():
            log.warning(f"the broker's database {sentence}", fix=foreign_broker_users.FIX)
        while True:
            self._once(interval)
            if not shutdown.sleep(worker_registry.beat_seconds()):
                return

    def _once(self, interval: float) -> None:
        try:
            if not self._has_work_here():
                return
            # one by one: a locked table, or one that refuses rows, blocks only the steps that need it
            problems = [
                self._do(STATUS_STEP, self._beat),
                self._do("report what the database refuses", self._report),
                self._do("sweep", lambda: self._sweep(interval)),
                self._do("clean up", cleanup.clean_if_leader),
                self._do("write samples", sampler.sample_if_due),
            ]
            locked_out.is_lasting()
            self._log_problem("; ".join(filter(None, problems)))
        except (DatabaseError, InterfaceError) as error:
            self._log_problem(str(database_refusals.of(error)))
        except Exception:  # only this thread keeps the process registered: it must survive any error
            log.exception("housekeeper failed; retrying")
        finally:
            connection.close()

    def _do(self, step: str, work: Callable[[], object]) -> str:
        """Does one step; returns why the database refuses it, empty if it does not. Raises DatabaseError if the
        database is away, since the other steps would then fail, too."""
        try:
            work()
        except (DatabaseError, InterfaceError) as error:
            refusal = database_refusals.of(error)
            if refusal.blame is Blame.CONNECTION:
                raise
            if not locked_out.note(error):
                refused_steps.record(step, str(refusal))
                return str(refusal)
            if step == STATUS_STEP:
                refused_steps.record(step, str(refusal))
        except Exception:
            log.exception("housekeeping failed; retrying", step=step)
        return ""

    def _beat(self) -> None:
        if not worker_registry.beat(self.registered()):
            self.worker_id = None
            self.registered()

    def _report(self) -> None:
        if self.worker_id is not None:
            report.write(self.worker_id)

    def _sweep(self, interval: float) -> None:
        is_sure = self._clock.look()
        is_repaired = _repair_broker()
        swept = sweep.sweep_if_leader(timedelta(seconds=interval), with_leases=is_sure)
        if swept and swept.is_due and (is_repaired or broker_health.problem()):
            self._brokerless.work(self.registered())
        if swept and (swept.returned or swept.parked or swept.drifted):
            log.warning("sweep", returned=swept.returned, parked=swept.parked, drifted=swept.drifted)
        if swept and swept.error:
            raise swept.error

    def _log_problem(self, problem: str) -> None:
        """Logs one line per new reason, since this is retried every few seconds."""
        if problem and problem != self._problem:
            log.warning("the database is away or accepts no writes; retrying", reason=problem)
        self._problem = problem

    def _has_work_here(self) -> bool:
        """Whether the queue is installed; if it was removed meanwhile, the process waits for it to come back."""
        is_there = installed.is_there()
        if self._is_idle is is_there:
            self._is_idle = not is_there
            log.warning("the queue is installed again" if is_there else f"idle: {installed.missing()}")
        if not is_there:
            self.worker_id = None
        return is_there


def _repair_broker() -> bool:
    """Removes broker keys of a wrong type; returns whether there were any. Each process checks, since only it can find
    all keys that block its own consumers."""
    removed = broker_health.repair()
    if removed:
        log.warning(
            "keys of a wrong type removed from the broker", count=len(removed), keys=removed[:_KEYS_SHOWN]
        )
        doorbell.ring()
    return bool(removed)


housekeeper = Housekeeper()
