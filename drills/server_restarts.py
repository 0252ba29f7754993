"""Ends a server of the stack as a crash or an operator does, and starts it again."""

import os
import signal
import time
from collections.abc import Callable

from config.stack.processes import kill_group
from config.stack.service import Service
from drills.trial_results import FaultResult

_BOOT_SECONDS = 60.0


def restart(
    service: Service, number: signal.Signals, meanwhile: Callable[[], object] = lambda: None
) -> FaultResult:
    """Ends a server by this signal and starts it again; recovery counts from when it answers."""
    _end(service, number)
    meanwhile()
    service.start(_BOOT_SECONDS)
    return FaultResult(time.monotonic(), [])


def restart_with(service: Service, command: list[str]) -> None:
    """Stops a server in good order and starts it by another command."""
    _end(service, service.process.stop_signal)
    service.process.command = command
    service.start(_BOOT_SECONDS)


def _end(service: Service, number: signal.Signals) -> None:
    assert service.process.pid
    os.kill(service.process.pid, number)
    if not service.process.exited.wait(_BOOT_SECONDS):
        kill_group(service.process.pid)
        service.process.exited.wait()
