"""Stops, freezes and cuts off workers, servers and provider while a backlog is worked off: nothing may be lost."""

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from redis import Redis

from benchmarks.tools.report import say
from config.stack.processes import Process, kill_group
from config.stack.service import Service
from drills.system import System
from drills.trials import Trial, as_json, table

_ARTICLES = 600
_LATENCY_MS = 150.0  # most workers wait for the provider when the fault strikes
_STRIKE_AFTER = 0.1  # of the backlog
_OUTAGE_SECONDS = 15.0
_BOOT_SECONDS = 60.0
_LOST = "SELECT coalesce(sum(value), 0)::int FROM performance_metrics WHERE name = 'batch_lost'"
_TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_CHARGED = """
SELECT count(*) FROM embedding_tasks WHERE status = 'processing' OR status = 'pending' AND attempts > 0
"""


class Struck(NamedTuple):
    """When recovery began to count, and what is wrong already."""

    since: float
    broken: list[str]


def kill_worker(system: System) -> Struck:
    """The whole group at once, as the end of a machine or a container does."""
    since = time.monotonic()
    system.kept[0].process.kill()
    return Struck(since, [])


def freeze_worker(system: System) -> Struck:
    """Past its lease, while another finishes its work; what it then writes must change nothing."""
    frozen = system.kept[0].process
    signal_group(frozen, signal.SIGSTOP)
    since = time.monotonic()
    system.start_workers()
    system.wait(system.is_at_rest, "the other worker to finish")
    finished = time.monotonic() - since
    refused = system.value(_LOST)
    signal_group(frozen, signal.SIGCONT)
    try:
        system.wait(lambda: system.value(_LOST) > refused, "the thawed worker to be refused", 30)
    except TimeoutError as error:
        return Struck(time.monotonic() - finished, [str(error)])
    return Struck(time.monotonic() - finished, [])


def stop_worker(system: System) -> Struck:
    """In good order: what is not finished goes back uncharged."""
    worker = system.kept[0]
    since = time.monotonic()
    in_order = worker.process.stop(worker.grace)
    charged = system.value(_CHARGED)
    broken = [] if in_order else ["the worker did not stop within its grace"]
    return Struck(since, broken + ([f"{charged} tasks were kept or charged"] if charged else []))


def flush_broker(system: System) -> Struck:
    """Every wake-up is gone."""
    with Redis.from_url(system.stack.valkey.url) as client:
        client.flushall()
    return Struck(time.monotonic(), [])


def restart_broker(system: System) -> Struck:
    """Killed, and started with what it had on disk."""
    return _restart(system.stack.valkey, signal.SIGKILL)


def restart_database(system: System) -> Struck:
    """A fast shutdown: sessions end, transactions roll back."""
    return _restart(system.stack.postgres, signal.SIGINT)


def crash_database(system: System) -> Struck:
    """An immediate shutdown: the server recovers from its log."""
    return _restart(system.stack.postgres, signal.SIGQUIT)


def end_connections(system: System) -> Struck:
    """All of them at once, as a failover does."""
    system.value(_TERMINATE)
    return Struck(time.monotonic(), [])


def stop_provider(system: System) -> Struck:
    """Nothing listens for a while; the backlog waits, and nothing is parked."""
    provider = system.stack.provider
    provider.process.kill()
    provider.process.exited.wait()
    time.sleep(_OUTAGE_SECONDS)
    provider.start(_BOOT_SECONDS)
    provider.configure(latency_ms=_LATENCY_MS)
    return Struck(time.monotonic(), [])


FAULTS: dict[str, Callable[[System], Struck]] = {
    "worker killed": kill_worker,
    "worker frozen past its lease": freeze_worker,
    "worker told to stop": stop_worker,
    "broker emptied": flush_broker,
    "broker killed, restarted": restart_broker,
    "database restarted": restart_database,
    "database crashed": crash_database,
    "connections terminated": end_connections,
    "provider down for 15 s": stop_provider,
}
_COUNTERS_GONE = {"provider down for 15 s"}


def main(words: list[str] | None = None) -> int:
    options = _options(words)
    found: list[Trial] = []
    with System.standing() as system:
        for fault in _order(options):
            found.append(_trial(system, fault, options.articles))
            system.end_workers()
            say(
                f"{fault}: {found[-1].recovery_seconds:.1f} s, lost {found[-1].lost} {found[-1].broken or ''}"
            )
    print(as_json("faults", vars(options), found) if options.json else table(found))
    return 0 if all(trial.is_good for trial in found) else 1


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev drill faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--articles", type=int, default=_ARTICLES, help="in each trial")
    parser.add_argument("--only", choices=sorted(FAULTS), nargs="+", default=list(FAULTS))
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


def _order(options: argparse.Namespace) -> list[str]:
    chosen = random.Random(options.seed)
    return [name for _ in range(options.rounds) for name in chosen.sample(options.only, len(options.only))]


def _trial(system: System, fault: str, articles: int) -> Trial:
    system.fill(0, _LATENCY_MS)
    system.start_workers()
    system.await_workers(1)
    system.fill(articles, _LATENCY_MS)
    system.wait(lambda: system.done() >= articles * _STRIKE_AFTER, "a part of the backlog")
    struck = FAULTS[fault](system)
    lost = system.await_rest()
    seconds = time.monotonic() - struck.since
    wasted = None if fault in _COUNTERS_GONE else system.wasted()
    return Trial(fault, round(seconds, 3), lost, wasted, struck.broken + system.broken())


def _restart(service: Service, number: signal.Signals) -> Struck:
    """Ends a server by this signal and starts it again; recovery counts from when it answers."""
    assert service.process.pid
    os.kill(service.process.pid, number)
    if not service.process.exited.wait(_BOOT_SECONDS):
        kill_group(service.process.pid)
        service.process.exited.wait()
    service.start(_BOOT_SECONDS)
    return Struck(time.monotonic(), [])


def signal_group(process: Process, number: signal.Signals) -> None:
    """Sends a signal to a process and everything it started."""
    assert process.pid
    os.killpg(process.pid, number)


if __name__ == "__main__":
    sys.exit(main())
