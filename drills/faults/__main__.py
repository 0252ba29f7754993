"""Injects faults into workers, servers, connections and clocks while a backlog is processed: nothing may be lost."""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks.tools.report import print_progress
from drills import small_disk
from drills.faults import (
    broker,
    database,
    frozen_database,
    refused_writes,
    repeated_kills,
    server_clock,
    table_locks,
    worker_clock,
    workers,
)
from drills.faults.workers import LATENCY_MS
from drills.system_under_test import System
from drills.trial_results import FaultResult, Trial, as_json, table

_ARTICLES = 600
_LOCK_SECONDS = 60.0
_STRIKE_AFTER = 0.1  # of the backlog


class Fault(NamedTuple):
    """`strike` injects the fault, and `join` starts a further worker before it.

    `is_proxied`: workers reach the servers through the proxies; `is_counted`: the provider's counters survive it.
    """

    strike: Callable[[System], FaultResult]
    is_proxied: bool = False
    is_counted: bool = True
    join: Callable[[System], object] = lambda _: None
    processes: int = 1


FAULTS = {
    "worker killed": Fault(workers.kill_worker),
    "worker's child killed": Fault(workers.kill_child, processes=2),
    "workers killed often": Fault(repeated_kills.kill_all_often, is_counted=False, processes=2),
    "only worker killed often": Fault(repeated_kills.kill_all_often, is_counted=False),
    "workers killed steadily": Fault(repeated_kills.kill_steadily, is_counted=False, processes=2),
    "text that kills its worker": Fault(repeated_kills.deadly_text, processes=2),
    "worker's master killed": Fault(workers.kill_master),
    "worker frozen past its lease": Fault(workers.freeze_worker),
    "worker stopped": Fault(workers.stop_worker),
    "worker's clock 5 min ahead": Fault(worker_clock.postpone, join=worker_clock.join_ahead),
    "worker's clock 5 min behind": Fault(worker_clock.postpone, join=worker_clock.join_behind),
    "server's clock 1 h ahead": Fault(server_clock.go_ahead, is_counted=False, join=server_clock.load),
    "server's clock 1 h behind": Fault(server_clock.fall_behind, is_counted=False, join=server_clock.load),
    "broker emptied": Fault(broker.flush_broker),
    "broker killed, restarted": Fault(broker.restart_broker),
    "broker killed, restarted empty": Fault(broker.restart_empty_broker),
    "broker's files damaged": Fault(broker.damage_broker_files),
    "broker out of reach": Fault(broker.refuse_broker, is_proxied=True),
    "broker's replies lost": Fault(broker.silence_broker, is_proxied=True),
    "broker read-only": Fault(broker.make_broker_a_replica),
    "broker out of memory": Fault(broker.fill_broker),
    "foreign Dramatiq on its database": Fault(broker.share_with_a_stranger),
    "foreign messages": Fault(broker.send_foreign_messages),
    "messages doubled and shuffled": Fault(broker.double_messages),
    "database restarted": Fault(database.restart_database),
    "database crashed": Fault(database.crash_database),
    "database slow": Fault(database.slow_database, is_proxied=True),
    "database without a free connection": Fault(database.fill_connections, is_proxied=True),
    "database's replies lost": Fault(database.lose_replies, is_proxied=True),
    "database's replies cut short": Fault(database.cut_replies, is_proxied=True),
    "connections cut": Fault(database.cut_connections, is_proxied=True),
    "connections terminated": Fault(database.end_connections),
    "no room for vectors": Fault(refused_writes.no_room),
    "no right to write vectors": Fault(refused_writes.lose_privilege),
    "no right to change tasks": Fault(refused_writes.lose_privilege_on_tasks),
    "database read-only": Fault(refused_writes.make_read_only),
    "sessions cut in COPY": Fault(refused_writes.cut_in_copy),
    "trigger refuses one text": Fault(refused_writes.refuse_one_text),
    "database frozen": Fault(frozen_database.freeze_database, is_counted=False),
    "tables locked": Fault(table_locks.lock_tables, is_counted=False),
    "provider down for 15 s": Fault(workers.stop_provider, is_counted=False),
}
FULL_DISK = "full disk"
NAMES = sorted([*FAULTS, FULL_DISK])


def main(words: list[str] | None = None) -> int:
    options = _options(words)
    if options.only == [FULL_DISK]:
        found, skipped = _on_a_small_disk(options)
    else:
        found, skipped = _on_any_disk(options)
    print(as_json("faults", vars(options), found) if options.json else table(found))
    for line in skipped:
        print_progress(line)
    return 0 if all(trial.is_good for trial in found) else 1


def _on_any_disk(options: argparse.Namespace) -> tuple[list[Trial], list[str]]:
    """The trials, and why some were not made."""
    with System.running() as system:
        system.lock_seconds, system.chosen = options.lock_seconds, random.Random(options.seed)
        found = list(_trials(system, options, [name for name in options.only if name in FAULTS]))
    if FULL_DISK not in options.only:
        return found, []
    # Django's settings are those of one data folder, so a process of its own has the other
    words = [f"--rounds={options.rounds}", f"--seed={options.seed}", f"--articles={options.articles}"]
    command = [sys.executable, "-m", "drills.faults", "--only", FULL_DISK, "--json", *words]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return found + [Trial(**trial) for trial in json.loads(ended.stdout)["trials"]], []


def _on_a_small_disk(options: argparse.Namespace) -> tuple[list[Trial], list[str]]:
    """As `_on_any_disk`, for what needs a filesystem that can be filled."""
    if reason := small_disk.why_not():
        return [], [f"{FULL_DISK}: skipped, since this machine does not permit a mount ({reason})"]
    with small_disk.mounted() as disk, System.running(folder=disk.folder) as system:
        fault = {FULL_DISK: Fault(refused_writes.fill_disk(disk), join=lambda _: disk.fill_almost())}
        return list(_trials(system, options, [FULL_DISK], fault)), []


def _trials(
    system: System, options: argparse.Namespace, names: list[str], faults: dict[str, Fault] = FAULTS
) -> Iterator[Trial]:
    for name in _order(options, names):
        trial = _trial(system, name, faults[name], options.articles)
        system.end_workers()
        print_progress(f"{name}: {trial.recovery_seconds:.1f} s, lost {trial.lost} {trial.broken or ''}")
        yield trial


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev drill faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--articles", type=int, default=_ARTICLES, help="in each trial")
    parser.add_argument(
        "--lock-seconds", type=float, default=_LOCK_SECONDS, help="for which each table stays locked"
    )
    parser.add_argument("--only", choices=NAMES, nargs="+", default=NAMES)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


def _order(options: argparse.Namespace, names: list[str]) -> list[str]:
    chosen = random.Random(options.seed)
    return [name for _ in range(options.rounds) for name in chosen.sample(names, len(names))]


def _trial(system: System, name: str, fault: Fault, articles: int) -> Trial:
    system.is_proxied = fault.is_proxied
    system.fill(0, LATENCY_MS)
    system.start_workers(processes=fault.processes)
    system.await_workers(fault.processes)
    fault.join(system)
    system.add(articles)
    system.wait(lambda: system.done() >= articles * _STRIKE_AFTER, "a part of the backlog")
    struck = fault.strike(system)
    lost = system.await_rest()
    seconds = time.monotonic() - struck.since
    wasted = system.wasted() if fault.is_counted else None
    return Trial(name, round(seconds, 3), lost, wasted, struck.broken + system.broken())


if __name__ == "__main__":
    sys.exit(main())
