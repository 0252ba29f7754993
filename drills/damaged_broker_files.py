"""Damages each file and folder of the embedded Valkey in each way, starts it again and counts what is lost: nothing
may be, and it must start each time."""

import argparse
import random
import sys
import time

from benchmarks.tools.report import print_progress
from drills import broker_files
from drills.faults import broker
from drills.system_under_test import System
from drills.trial_results import Trial, as_json, table

_ARTICLES = 200
_STRIKE_AFTER = 0.1  # of the backlog
_LATENCY_MS = 100.0


def main(words: list[str] | None = None) -> int:
    options = _options(words)
    chosen = random.Random(options.seed)
    found: list[Trial] = []
    with System.running() as system:
        system.start_workers()
        system.await_workers(1)
        for target, name in _order(chosen, options.trials):
            found.append(_trial(system, target, name, chosen, options.articles))
            print_progress(
                f"{len(found)}/{options.trials} {target} {name}: {found[-1].recovery_seconds:.1f} s, "
                f"lost {found[-1].lost} {found[-1].broken or ''}"
            )
    print(as_json("damaged_broker_files", vars(options), found) if options.json else table(found))
    return 0 if all(trial.is_good for trial in found) else 1


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev drill damaged_broker_files", description=__doc__)
    parser.add_argument(
        "--trials", type=int, default=len(broker_files.ALL), help="each file in each way: the default"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--articles", type=int, default=_ARTICLES, help="in each trial")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


def _order(chosen: random.Random, trials: int) -> list[tuple[str, str]]:
    """Each damage once before any comes again."""
    order: list[tuple[str, str]] = []
    while len(order) < trials:
        order += chosen.sample(broker_files.ALL, len(broker_files.ALL))
    return order[:trials]


def _trial(system: System, target: str, name: str, chosen: random.Random, articles: int) -> Trial:
    system.fill(0, _LATENCY_MS)
    system.add(articles)
    system.wait(lambda: system.done() >= articles * _STRIKE_AFTER, "a part of the backlog")
    struck = broker.damage(system, target, name, chosen)
    lost = system.await_rest()
    seconds = time.monotonic() - struck.since
    return Trial(name, round(seconds, 3), lost, system.wasted(), struck.broken + system.broken(), note=target)


if __name__ == "__main__":
    sys.exit(main())
