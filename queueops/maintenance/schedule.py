"""Scheduled maintenance as one call: the sweep, the cleanup and the samples."""

from dataclasses import dataclass, replace
from datetime import timedelta

from django.conf import settings

from queueops.maintenance import cleanup, drift, sampler, sweep
from queueops.maintenance.sweep import Swept


@dataclass(frozen=True)
class MaintenanceResult:
    """The result of one run: leases `returned` and tasks `parked` by the sweep, articles it found behind (`drifted`),
    rows `removed` by the cleanup, and metrics `sampled`."""

    returned: int = 0
    parked: int = 0
    drifted: int = 0
    removed: int = 0
    sampled: int = 0

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def __str__(self) -> str:
        return (
            f"{self.returned:,} leases returned, {self.parked:,} tasks parked, {self.drifted:,} articles enqueued; "
            f"{self.removed:,} old rows removed; {self.sampled:,} metrics sampled"
        )


def once() -> MaintenanceResult:
    """Does everything now, even if it was just done, however long it takes."""
    swept = sweep.sweep()
    drifted = drift.enqueue_all_drift() if drift.is_looked_for() else 0
    removed = cleanup.clean(cleanup.kept_for())
    result = _result(swept, removed.total, sampler.sample())
    return replace(result, drifted=result.drifted + drifted)


def if_due() -> MaintenanceResult:
    """Does what is due and no other process has done, as each worker does."""
    interval = timedelta(milliseconds=settings.EMBEDDING_WORKER_INTERVAL)
    swept = sweep.sweep_if_leader(interval)
    return _result(swept, cleanup.clean_if_leader(), sampler.sample_if_due())


def _result(swept: Swept | None, removed: int, sampled: int) -> MaintenanceResult:
    if swept is None:
        return MaintenanceResult(removed=removed, sampled=sampled)
    if swept.error:
        raise swept.error
    return MaintenanceResult(swept.returned, swept.parked, swept.drifted, removed, sampled)
