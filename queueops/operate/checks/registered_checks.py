"""Checks of subjects above the queue, added by the assembly of the site; they run with those of the database."""

from collections.abc import Callable, Iterable, Iterator

from queueops.operate.checks.finding import Finding

type Check = Callable[[], Iterable[Finding]]

_checks: list[Check] = []


def add(check: Check) -> None:
    """Asks this one, too."""
    if check not in _checks:
        _checks.append(check)


def check() -> Iterator[Finding]:
    """What all of them find."""
    for each in _checks:
        yield from each()
