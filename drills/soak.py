"""Random faults under a steady load of saves, edits and deletes, with the invariants checked every second."""

import argparse
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
from django.db import DatabaseError, InterfaceError

from benchmarks.tools.report import print_progress
from benchmarks.tools.usage import tree_mib
from config.stack import services
from config.stack.processes import Process
from drills.faults import broker, database, refused_writes, repeated_kills, server_clock, workers
from drills.proxy import PASS, Rules
from drills.system_under_test import LEASE_SECONDS, System

_LATENCY_MS = 40.0
_BETWEEN_FAULTS = (5.0, 12.0)
_STUMBLE_SECONDS = 4.0
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
# a worker's memory may grow by this while it fills its caches
_GROWTH_ALLOWED = 1.35


def freeze(system: System) -> None:
    """Past the lease, then on."""
    frozen = system.kept[0].process
    workers.signal_group(frozen, signal.SIGSTOP)
    system.stack.pause(LEASE_SECONDS * 1.5)
    workers.signal_group(frozen, signal.SIGCONT)


def stumble(system: System) -> None:
    """The provider returns an error for half of its requests for a moment."""
    system.stack.provider.configure(rate_500=0.3, rate_429=0.2)
    system.stack.pause(_STUMBLE_SECONDS)
    system.stack.provider.configure(rate_500=0, rate_429=0)


def silence(system: System) -> None:
    """The broker's replies are lost for a moment, and the sweep does its work."""
    system.to_broker.rules = Rules(swallow=True)
    system.stack.pause(_STUMBLE_SECONDS)
    system.to_broker.rules = PASS


def no_room(system: System) -> None:
    """The table of vectors is as on a full disk, past the lease."""
    with refused_writes.refusing_rows(system, "53100"):
        system.stack.pause(LEASE_SECONDS * 1.5)


def read_only(system: System) -> None:
    """Nothing is written, saves neither, past the lease."""
    with refused_writes.read_only(system):
        system.stack.pause(LEASE_SECONDS * 1.5)


def lose_right(system: System) -> None:
    """No task can be changed, past the lease."""
    with refused_writes.without_right(system, "UPDATE", "embedding_tasks"):
        system.stack.pause(LEASE_SECONDS * 1.5)


STROKES: dict[str, Callable[[System], object]] = {
    "kill worker": workers.kill_worker,
    "kill all workers": repeated_kills.kill_all,
    "freeze worker": freeze,
    "stop worker": lambda system: system.kept[0].stop(),
    "empty broker": broker.flush_broker,
    "kill broker": broker.restart_broker,
    "damage broker's files": broker.damage_broker_files,
    "silence broker": silence,
    "restart database": database.restart_database,
    "crash database": database.crash_database,
    "end connections": database.end_connections,
    "cut connections": database.cut_connections,
    "lose replies": database.lose_replies,
    "no room": no_room,
    "read-only": read_only,
    "lose right": lose_right,
    "provider stumbles": stumble,
    "step server's clock": server_clock.step_on,
}
if server_clock.library() is None:
    del STROKES["step server's clock"]


@dataclass
class Watch:
    """What was seen, second by second."""

    broken: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    checks: int = 0
    writes: int = 0

    def hear(self, _process: Process, line: str) -> None:
        """Counts what the load has written."""
        self.writes += line == "written"

    def check(self, system: System) -> None:
        """Checks the rows, the workers' memory and the server's connections once."""
        try:
            self.broken += system.breaches(at_rest=False) + system.wrong_vectors()
            self.connections.append(int(system.value(_CONNECTIONS)))
        except (psycopg.Error, DatabaseError, InterfaceError):
            return  # the server is down just now
        self.checks += 1
        pids = [service.process.pid for service in system.kept if service.process.running]
        self.memory.append(tree_mib([pid for pid in pids if pid]))

    def growth(self) -> float:
        """Memory of the last third over that of the second; workers that fill their caches are left out."""
        third = len(self.memory) // 3
        if third < 10:
            return 1.0
        return statistics.median(self.memory[-third:]) / max(
            statistics.median(self.memory[third:-third]), 1.0
        )


def main(words: list[str] | None = None) -> int:
    options = _options(words)
    chosen = random.Random(options.seed)
    with System.running(EMBEDDING_MAX_RETRIES="100") as system:
        watch, struck = Watch(), Counter[str]()
        load = _start_load(system, options.seed, watch)
        _inject_faults(system, watch, struck, chosen, options.minutes * 60)
        load.stop(5)
        lost = system.await_rest()
        watch.broken += system.broken()
    print(
        f"soak {options.minutes:g} min, seed {options.seed}: {struck.total()} faults, "
        f"{watch.writes:,} writes of articles, {watch.checks} checks, "
        f"{len(watch.broken)} broken, {lost} lost, memory ×{watch.growth():.2f}, "
        f"at most {max(watch.connections, default=0)} connections"
    )
    for line in watch.broken[:20]:
        print_progress(line)
    return 0 if not watch.broken and not lost and watch.growth() < _GROWTH_ALLOWED else 1


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args(words)


def _start_load(system: System, seed: int, watch: Watch) -> Process:
    if server_clock.library() is None:
        print_progress(server_clock.MISSING)
    else:
        server_clock.load(system)
    system.fill(0, _LATENCY_MS)
    system.is_proxied = True
    system.start_workers()
    system.start_workers()
    system.await_workers(2)
    words = [sys.executable, "-m", "drills.write_load", str(seed)]
    load = Process("load", words, env=services.child_environment())
    load.on_line = watch.hear
    return load.start()


def _inject_faults(
    system: System, watch: Watch, struck: Counter[str], chosen: random.Random, seconds: float
) -> None:
    ends = time.monotonic() + seconds
    strike_at = time.monotonic() + chosen.uniform(*_BETWEEN_FAULTS)
    while time.monotonic() < ends:
        if time.monotonic() >= strike_at:
            name = chosen.choice(sorted(STROKES))
            print_progress(f"{ends - time.monotonic():.0f} s left: {name}")
            STROKES[name](system)
            struck[name] += 1
            strike_at = time.monotonic() + chosen.uniform(*_BETWEEN_FAULTS)
        system.restart_ended_workers()
        watch.check(system)
        system.stack.pause(1)


if __name__ == "__main__":
    sys.exit(main())
