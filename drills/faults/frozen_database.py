"""The database is frozen with all its sessions, as on a stalled disk: it sends no reply and no refusal."""

import os
import signal
import time
from pathlib import Path

from config.stack import services
from drills.faults.table_locks import HEALTH_SECONDS
from drills.http_clients import Clients
from drills.system_under_test import System
from drills.trial_results import FaultResult

_BOOT_SECONDS = 60.0
_SECONDS = 8.0
_AFTER_SECONDS = 20.0
_LOOKS = 3


def freeze_database(system: System) -> FaultResult:
    """SIGSTOP for every process of the server; health must report it, and everything resumes after SIGCONT."""
    web = services.web()
    web.start(_BOOT_SECONDS)
    clients = Clients(system.stack.web_url)
    try:
        with clients.busy():
            system.wait(clients.is_well, "a save", _BOOT_SECONDS)
            clients.new_replies()
            _freeze(system)
            health = [each for each in clients.new_replies() if each.path == "/health"]
            began = time.monotonic()
            system.wait(clients.is_well, "saves afterwards", _AFTER_SECONDS)
    finally:
        web.stop()
    late = max((each.seconds for each in health), default=99.0)
    broken = [f"health took {late:.1f} s"] if late > HEALTH_SECONDS else []
    if sum(each.status == 503 and "down" in each.body for each in health) < _LOOKS:
        broken.append("health was not down")
    return FaultResult(began, broken)


def _freeze(system: System) -> None:
    processes = _server(system)
    _signal(processes, signal.SIGSTOP)
    try:
        time.sleep(_SECONDS)
    finally:
        _signal([*processes, *_server(system)], signal.SIGCONT)


def _server(system: System) -> list[int]:
    """The postmaster first, so that it starts no session between, then its sessions, each a group of its own."""
    postmaster = system.stack.postgres.process.pid
    assert postmaster
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text()
    return [postmaster, *map(int, children.split())]


def _signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            continue
