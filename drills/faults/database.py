"""Faults of the database and of connections to it."""

import contextlib
import signal
import time

import psycopg

from drills.proxy import PASS, Rules
from drills.server_restarts import restart
from drills.system_under_test import System
from drills.trial_results import FaultResult

_TIMES = 3
_BETWEEN_SECONDS = 0.4
_SLOW_SECONDS = 5.0
_DELAY_SECONDS = 0.05
_FULL_SECONDS = 8.0
_POLL_SECONDS = 0.1
_TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def restart_database(system: System) -> FaultResult:
    """A fast shutdown: sessions end, transactions roll back."""
    return restart(system.stack.postgres, signal.SIGINT)


def crash_database(system: System) -> FaultResult:
    """An immediate shutdown: the server recovers from its log."""
    return restart(system.stack.postgres, signal.SIGQUIT)


def end_connections(system: System) -> FaultResult:
    """All of them at once, as a failover does."""
    system.value(_TERMINATE)
    return FaultResult(time.monotonic(), [])


def cut_connections(system: System) -> FaultResult:
    """In the network, so that neither side closes; repeatedly."""
    for _ in range(_TIMES):
        system.to_database.cut()
        time.sleep(_BETWEEN_SECONDS)
    return FaultResult(time.monotonic(), [])


def cut_replies(system: System) -> FaultResult:
    """In the middle of a reply, per connection."""
    system.to_database.rules = Rules(cut_after=2_000)
    time.sleep(_BETWEEN_SECONDS * _TIMES)
    system.to_database.rules = PASS
    return FaultResult(time.monotonic(), [])


def lose_replies(system: System) -> FaultResult:
    """The server executes every request, COMMIT included, and no reply arrives."""
    for _ in range(_TIMES):
        system.to_database.rules = Rules(swallow=True)
        time.sleep(_BETWEEN_SECONDS)
        system.to_database.rules = PASS
        system.to_database.cut()
        time.sleep(_BETWEEN_SECONDS)
    swallowed = system.to_database.swallowed
    return FaultResult(time.monotonic(), [] if swallowed else ["no reply was lost"])


def slow_database(system: System) -> FaultResult:
    """Every reply is late for a while."""
    system.to_database.rules = Rules(delay_seconds=_DELAY_SECONDS)
    time.sleep(_SLOW_SECONDS)
    system.to_database.rules = PASS
    return FaultResult(time.monotonic(), [])


def fill_connections(system: System) -> FaultResult:
    """Others hold every connection the server has for a while, those of the workers too."""
    ends = time.monotonic() + _FULL_SECONDS
    with contextlib.ExitStack() as held:
        while time.monotonic() < ends:
            if system.to_database.open_connections:
                system.to_database.cut()
            _take_all(system, held)
            time.sleep(_POLL_SECONDS)
        broken = ["workers had connections all the time"] if system.is_at_rest() else []
    return FaultResult(time.monotonic(), broken)


def _take_all(system: System, held: contextlib.ExitStack) -> None:
    with contextlib.suppress(psycopg.OperationalError):  # too many clients
        while True:
            held.enter_context(psycopg.connect(system.stack.postgres.url))
