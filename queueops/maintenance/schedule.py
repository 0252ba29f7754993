"""What the schedule does, for those who would rather do it themselves: the sweep, the cleanup and the samples."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from queueops.maintenance import cleanup, sampler, sweep
from queueops.maintenance.sweep import Swept


@dataclass(frozen=True)
class MaintenanceResult:
    """What one turn did: leases `returned` and tasks `parked` by the sweep, articles it found behind (`drifted`), rows
    `removed` by the cleanup, and figures `sampled`."""

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
            f"{self.removed:,} old rows removed; {self.sampled:,} figures sampled"
        )


def once() -> MaintenanceResult:
    """Does everything now, whoever did it last and however long it takes."""
    swept = sweep.sweep()
    removed = cleanup.clean(cleanup.kept_for())
    return _kept(swept, removed.total, sampler.sample())


def if_due() -> MaintenanceResult:
    """Does what is due and nobody else has done, as each worker does it."""
    interval = timedelta(milliseconds=settings.EMBEDDING_WORKER_INTERVAL)
    swept = sweep.sweep_if_leader(interval)
    return _kept(swept, cleanup.clean_if_leader(), sampler.sample_if_due())


def _kept(swept: Swept | None, removed: int, sampled: int) -> MaintenanceResult:
    if swept is None:
        return MaintenanceResult(removed=removed, sampled=sampled)
    return MaintenanceResult(swept.returned, swept.parked, swept.drifted, removed, sampled)
