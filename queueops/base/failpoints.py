"""Named steps at which a drill makes a process die, hang or fail; without a drill, reaching one does nothing."""

import itertools
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

VARIABLE = "VECTORPRESS_FAILPOINT"
Name = Literal[
    "enqueue_committed",  # tasks are committed, no wake-up sent
    "claimed",  # the attempt is counted, the lease runs
    "rendered",  # chunks are made, known vectors found
    "before_provider",
    "after_provider",  # paid for, nothing written
    "settle_locked",  # articles are locked, and the tasks that are not completed
    "stored",  # tasks completed and their vectors written, not committed
    "completed",  # failed tasks ended too
    "before_commit",  # audit and metrics written too
    "after_commit",
    "before_ack",  # the work is done, the broker does not know
    "sweep_returned",  # expired leases are returned, no wake-up sent
]
Action = Literal["kill", "hang", "raise", "exit"]
NAMES: tuple[Name, ...] = get_args(Name)
ACTIONS: tuple[Action, ...] = get_args(Action)
_EXIT_CODE = 70
_STDERR = 2


class FailpointError(RuntimeError):
    """Raised by the action `raise`."""


@dataclass(frozen=True)
class Failpoint:
    """A step, the hit at which it fires (from 1 on), and the action."""

    name: Name
    hit: int
    action: Action


def parse(text: str) -> Failpoint:
    """Parses `name[:hit]=action`; raises ImproperlyConfigured with the valid values."""
    step, _, action = text.partition("=")
    name, _, hit = step.partition(":")
    hit = hit or "1"
    if name not in NAMES or action not in ACTIONS or not hit.isdecimal() or int(hit) < 1:
        raise ImproperlyConfigured(
            f"invalid {VARIABLE} {text!r}: use name[:hit]=action, where name is one of {', '.join(NAMES)}, "
            f"hit is 1 or more, and action is one of {', '.join(ACTIONS)}."
        )
    return Failpoint(name, int(hit), action)


def armed(point: Failpoint) -> Callable[[Name], None]:
    """A `reach` that acts at the given hit, in whichever thread it happens."""
    hits = itertools.count(1)

    def reach(name: Name) -> None:
        if name == point.name and next(hits) == point.hit:
            _fire(point)

    return reach


def _fire(point: Failpoint) -> None:
    # past every buffer and logger, which a killed process does not flush
    os.write(_STDERR, f"failpoint {point.name} reached\n".encode())
    match point.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(_EXIT_CODE)
        case "hang":
            threading.Event().wait()
        case "raise":
            raise FailpointError(f"failpoint {point.name} is set to fail here")


def _nothing(name: Name) -> None:
    """`reach` without a drill."""


reach: Callable[[Name], None] = armed(parse(settings.FAILPOINT)) if settings.FAILPOINT else _nothing
