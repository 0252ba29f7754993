"""Results of trials, as a table for people and JSON for machines."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from benchmarks.tools.report import machine, versions

_COLUMNS = ("fault", "trials", "median s", "worst s", "lost", "texts wasted", "broken")
_ROW = "{:<36} {:>6} {:>9} {:>8} {:>5} {:>13} {:>7}"


class FaultResult(NamedTuple):
    """The result of a fault: when recovery began to count, and errors so far."""

    since: float
    broken: list[str]


@dataclass(frozen=True)
class Trial:
    """One fault and what came of it. Recovery runs from the fault (or the end of an outage) until everything was
    embedded. `wasted` counts texts sent to the provider beyond one each; None where it cannot be known."""

    fault: str
    recovery_seconds: float
    lost: int
    wasted: int | None = 0
    broken: list[str] = field(default_factory=list)
    note: str = ""

    @property
    def is_good(self) -> bool:
        return not self.lost and not self.broken


@dataclass(frozen=True)
class Row:
    """All trials of one fault."""

    fault: str
    trials: int
    median_seconds: float
    worst_seconds: float
    lost: int
    wasted: int | None
    broken: int

    def as_text(self) -> str:
        wasted = "–" if self.wasted is None else str(self.wasted)
        seconds = (f"{self.median_seconds:.1f}", f"{self.worst_seconds:.1f}")
        return _ROW.format(self.fault, self.trials, *seconds, self.lost, wasted, self.broken)


def rows_of(trials: Sequence[Trial]) -> list[Row]:
    """One row a fault, in the order of the alphabet."""
    ordered = sorted(trials, key=lambda trial: trial.fault)
    return [_row(fault, list(group)) for fault, group in groupby(ordered, key=lambda trial: trial.fault)]


def table(trials: Sequence[Trial]) -> str:
    """The rows and their sum as lines of text."""
    lines = [_ROW.format(*_COLUMNS), *(row.as_text() for row in rows_of(trials))]
    if trials:
        lines.append(_row("all", trials).as_text())
    lines += [f"{trial.fault}: {line}" for trial in trials for line in trial.broken]
    return "\n".join(lines)


def as_json(name: str, options: dict[str, Any], trials: Sequence[Trial]) -> str:
    """Everything that was found, with what it depends on."""
    found = {
        "drill": name,
        "options": options,
        "machine": machine(),
        "versions": versions(),
        "rows": [asdict(row) for row in rows_of(trials)],
        "trials": [asdict(trial) for trial in trials],
    }
    return json.dumps(found, indent=2, default=str)


def _row(fault: str, trials: Sequence[Trial]) -> Row:
    seconds = [trial.recovery_seconds for trial in trials]
    wasted = [trial.wasted for trial in trials if trial.wasted is not None]
    return Row(
        fault,
        len(trials),
        round(statistics.median(seconds), 2),
        round(max(seconds), 2),
        sum(trial.lost for trial in trials),
        sum(wasted) if wasted else None,
        sum(len(trial.broken) for trial in trials),
    )
