"""Kills worker processes at every named step of their work and counts what is lost: nothing may be."""

import argparse
import random
import sys
import time
from collections.abc import Iterator

from benchmarks.tools.report import print_progress
from drills.system_under_test import ProcessWithFailpoint, System
from drills.trial_results import Trial, as_json, table

_ARTICLES = 200  # ten batches: a fault in the middle has work before and after it
_SECONDS_TO_DIE = 60.0
# How often a step is surely passed: an acknowledgement comes once a wake-up, everything else once a batch or sweep.
_HITS = {"before_ack": 1, "sweep_returned": 3, "enqueue_committed": 20}
_HITS_OTHERWISE = 5


def main(words: list[str] | None = None) -> int:
    options = _options(words)
    chosen = random.Random(options.seed)
    found: list[Trial] = []
    with System.running() as system:
        steps = plan(chosen, options.trials, system.stack.load("queueops.base.failpoints.NAMES"))
        for name, hit in steps:
            trial = _trial(system, name, hit, options.articles)
            system.end_workers()
            found.append(trial)
            print_progress(
                f"{len(found)}/{options.trials} {name}:{hit}: {trial.recovery_seconds:.1f} s, lost {trial.lost}"
            )
    print(as_json("kills", vars(options), found) if options.json else table(found))
    return 0 if all(trial.is_good for trial in found) else 1


def plan(chosen: random.Random, trials: int, names: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """(step, pass) of each trial: every step in turn, in an order and at a pass that the seed decides."""
    left: list[str] = []
    for _ in range(trials):
        if not left:
            left = chosen.sample(names, len(names))
        name = left.pop()
        yield name, chosen.randint(1, _HITS.get(name, _HITS_OTHERWISE))


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev drill kills", description=__doc__)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--articles", type=int, default=_ARTICLES, help="in each trial")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


def _trial(system: System, name: str, hit: int, articles: int) -> Trial:
    kill = _kill_saver if name == "enqueue_committed" else _kill_worker
    since = kill(system, f"{name}:{hit}=kill", articles)
    lost = system.await_rest()
    seconds = time.monotonic() - since
    return Trial(name, round(seconds, 3), lost, system.wasted(), system.broken())


def _kill_worker(system: System, failpoint: str, articles: int) -> float:
    """Kills a worker at work, and replaces it; returns when it died."""
    system.fill(articles)
    victim = ProcessWithFailpoint(system.start_workers(failpoint, kept=False).process)
    since = _await_death(victim, failpoint)
    system.start_workers()
    return since


def _kill_saver(system: System, failpoint: str, articles: int) -> float:
    """Lets a process die between the commit of a save and its wake-up; the workers live."""
    system.fill(0)
    system.start_workers()
    system.await_workers(1)
    victim = ProcessWithFailpoint(system.start_saver(articles, failpoint).start())
    return _await_death(victim, failpoint)


def _await_death(victim: ProcessWithFailpoint, failpoint: str) -> float:
    """When the failpoint was reached. A killed worker's supervisor is ended too, since it would restart the worker."""
    ends = time.monotonic() + _SECONDS_TO_DIE
    while victim.reached_at is None and not victim.process.exited.wait(0.05):
        if time.monotonic() > ends:
            victim.process.kill()
            raise TimeoutError(f"{failpoint} was not reached within {_SECONDS_TO_DIE:g} s")
    victim.process.kill()
    victim.process.exited.wait()
    if victim.reached_at is None:
        raise RuntimeError(
            f"{failpoint}: the process {victim.process.describe_end()}{victim.process.last_words()}"
        )
    return victim.reached_at


if __name__ == "__main__":
    sys.exit(main())
