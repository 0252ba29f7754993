"""Harms workers, servers, connections and clocks while a backlog is worked off: nothing may be lost."""

import argparse
import random
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.tools.report import say
from drills import (
    faults_broker,
    faults_clock,
    faults_database,
    faults_frozen,
    faults_locks,
    faults_workers,
)
from drills.faults_workers import LATENCY_MS
from drills.system import System
from drills.trials import Struck, Trial, as_json, table

_ARTICLES = 600
_LOCK_SECONDS = 60.0
_STRIKE_AFTER = 0.1  # of the backlog


class Fault(NamedTuple):
    """What strikes; whether workers reach the servers through the proxies; whether the provider's counters last; who
    else works from the beginning."""

    strike: Callable[[System], Struck]
    is_proxied: bool = False
    is_counted: bool = True
    join: Callable[[System], object] = lambda _: None


FAULTS = {
    "worker killed": Fault(faults_workers.kill_worker),
    "worker's child killed": Fault(faults_workers.kill_child),
    "worker's master killed": Fault(faults_workers.kill_master),
    "worker frozen past its lease": Fault(faults_workers.freeze_worker),
    "worker told to stop": Fault(faults_workers.stop_worker),
    "worker's clock 5 min ahead": Fault(faults_clock.postpone, join=faults_clock.join_ahead),
    "worker's clock 5 min behind": Fault(faults_clock.postpone, join=faults_clock.join_behind),
    "broker emptied": Fault(faults_broker.flush_broker),
    "broker killed, restarted": Fault(faults_broker.restart_broker),
    "broker killed, restarted empty": Fault(faults_broker.restart_empty_broker),
    "broker out of reach": Fault(faults_broker.refuse_broker, is_proxied=True),
    "broker's replies lost": Fault(faults_broker.silence_broker, is_proxied=True),
    "broker read-only": Fault(faults_broker.make_broker_a_replica),
    "broker out of memory": Fault(faults_broker.fill_broker),
    "foreign messages": Fault(faults_broker.send_foreign_messages),
    "messages doubled and shuffled": Fault(faults_broker.double_messages),
    "database restarted": Fault(faults_database.restart_database),
    "database crashed": Fault(faults_database.crash_database),
    "database slow": Fault(faults_database.slow_database, is_proxied=True),
    "database without a free connection": Fault(faults_database.fill_connections, is_proxied=True),
    "database's answers lost": Fault(faults_database.lose_answers, is_proxied=True),
    "database's answers cut short": Fault(faults_database.cut_replies, is_proxied=True),
    "connections cut": Fault(faults_database.cut_connections, is_proxied=True),
    "connections terminated": Fault(faults_database.end_connections),
    "database frozen": Fault(faults_frozen.freeze_database, is_counted=False),
    "stranger_locks": Fault(faults_locks.lock_tables, is_counted=False),
    "provider down for 15 s": Fault(faults_workers.stop_provider, is_counted=False),
}


def main(words: list[str] | None = None) -> int:
    options = _options(words)
    found: list[Trial] = []
    with System.standing() as system:
        system.lock_seconds, system.chosen = options.lock_seconds, random.Random(options.seed)
        for name in _order(options):
            found.append(_trial(system, name, options.articles))
            system.end_workers()
            say(f"{name}: {found[-1].recovery_seconds:.1f} s, lost {found[-1].lost} {found[-1].broken or ''}")
    print(as_json("faults", vars(options), found) if options.json else table(found))
    return 0 if all(trial.is_good for trial in found) else 1


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev drill faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--articles", type=int, default=_ARTICLES, help="in each trial")
    parser.add_argument(
        "--lock-seconds", type=float, default=_LOCK_SECONDS, help="for which a stranger keeps each table"
    )
    parser.add_argument("--only", choices=sorted(FAULTS), nargs="+", default=list(FAULTS))
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


def _order(options: argparse.Namespace) -> list[str]:
    chosen = random.Random(options.seed)
    return [name for _ in range(options.rounds) for name in chosen.sample(options.only, len(options.only))]


def _trial(system: System, name: str, articles: int) -> Trial:
    fault = FAULTS[name]
    system.is_proxied = fault.is_proxied
    system.fill(0, LATENCY_MS)
    system.start_workers()
    system.await_workers(1)
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
