"""Faults of worker processes and of the provider."""

import os
import signal
import subprocess
import time

from config.stack.processes import Process
from drills.system_under_test import System
from drills.trial_results import FaultResult

LATENCY_MS = 150.0  # most workers wait for the provider when the fault strikes
_OUTAGE_SECONDS = 15.0
_BOOT_SECONDS = 60.0
_LOST = "SELECT coalesce(sum(value), 0)::int FROM performance_metrics WHERE name = 'batch_lost'"
_NAMES = "SELECT coalesce(string_agg(name, ' '), '') FROM embedding_worker_status"
_DONE_BY_OTHERS = "SELECT coalesce(sum(tasks_done), 0) FROM embedding_worker_status WHERE name"
# the other process needs no lease to end and no start
_WORK_ON_SECONDS, _REPLACED_SECONDS = 5.0, 30.0
_CHARGED = """
SELECT count(*) FROM embedding_tasks WHERE status = 'processing' OR status = 'pending' AND attempts > 0
"""


def kill_worker(system: System) -> FaultResult:
    """The whole group at once, as the end of a machine or a container does."""
    since = time.monotonic()
    system.kept[0].process.kill()
    return FaultResult(since, [])


def kill_child(system: System) -> FaultResult:
    """One process of two, as the end of memory does: the other works on, and another takes its place."""
    keeper, workers = system.kept[0].process, registered(system)
    killed = min(workers)
    since, done, restarts = time.monotonic(), tasks_of_others(system, killed), system.restarts
    os.kill(killed, signal.SIGKILL)
    broken = system.wait_or_report(
        lambda: tasks_of_others(system, killed) > done, "the other process to work on", _WORK_ON_SECONDS
    )
    broken += system.wait_or_report(
        lambda: registered(system) - workers, "another process in its place", _REPLACED_SECONDS
    )
    if keeper.exited.is_set() or system.restarts > restarts:
        broken.append("the supervisor ended with its child")
    return FaultResult(since, broken)


def registered(system: System) -> set[int]:
    """The pids of the worker processes that have a row."""
    return {int(name.rpartition(":")[2]) for name in system.value(_NAMES).split()}


def tasks_of_others(system: System, pid: int) -> int:
    """The number of tasks done by other processes."""
    return int(system.value(f"{_DONE_BY_OTHERS} NOT LIKE '%:{pid}'"))


def kill_master(system: System) -> FaultResult:
    """Alone: nothing of what it started may live on without it."""
    master = system.kept[0].process
    group = master.pid
    assert group
    since = time.monotonic()
    os.kill(group, signal.SIGKILL)
    master.exited.wait()
    broken = system.wait_or_report(
        lambda: not _living(group), "the master's children to end with it", _BOOT_SECONDS
    )
    return FaultResult(since, broken)


def _living(group: int) -> list[str]:
    """The states of the processes of a group, those left out that are dead and wait for their parent to notice."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True)
    pairs = [line.split() for line in listed.stdout.splitlines()]
    return [state for found, state in pairs if found == str(group) and not state.startswith("Z")]


def freeze_worker(system: System) -> FaultResult:
    """Past its lease, while another finishes its work; what it then writes must change nothing."""
    frozen = system.kept[0].process
    signal_group(frozen, signal.SIGSTOP)
    since = time.monotonic()
    system.start_workers()
    system.wait(system.is_at_rest, "the other worker to finish")
    finished = time.monotonic() - since
    refused = system.value(_LOST)
    signal_group(frozen, signal.SIGCONT)
    broken = system.wait_or_report(
        lambda: system.value(_LOST) > refused, "the thawed worker to be refused", 30
    )
    return FaultResult(time.monotonic() - finished, broken)


def stop_worker(system: System) -> FaultResult:
    """In good order: what is not finished goes back uncharged."""
    worker = system.kept[0]
    since = time.monotonic()
    in_order = worker.process.stop(worker.grace)
    charged = system.value(_CHARGED)
    broken = [] if in_order else ["the worker did not stop within its grace"]
    return FaultResult(since, broken + ([f"{charged} tasks were kept or charged"] if charged else []))


def stop_provider(system: System) -> FaultResult:
    """Nothing listens for a while; the backlog waits, and nothing is parked."""
    provider = system.stack.provider
    provider.process.kill()
    provider.process.exited.wait()
    time.sleep(_OUTAGE_SECONDS)
    provider.start(_BOOT_SECONDS)
    provider.configure(latency_ms=LATENCY_MS)
    return FaultResult(time.monotonic(), [])


def signal_group(process: Process, number: signal.Signals) -> None:
    """Sends a signal to a process and everything it started."""
    assert process.pid
    os.killpg(process.pid, number)
