"""Attacks a Vectorpress of its own, as `./dev up` starts it, and prints per attack whether it held or what got
through."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.tools.report import print_progress
from drills.attack import broker, files, guessing, machine, network, permissions, text
from drills.attack.target import Target, running

type Attack = Callable[[Target], list[str]]

# Guessing comes last: it locks its own address out for a while.
ATTACKS: dict[str, Attack] = {
    **permissions.ATTACKS,
    **machine.ATTACKS,
    **text.ATTACKS,
    **files.ATTACKS,
    **broker.ATTACKS,
    **network.ATTACKS,
    **guessing.ATTACKS,
}


class Outcome(NamedTuple):
    """`got_through` has a sentence for each thing that should not have been possible."""

    attack: str
    seconds: float
    got_through: list[str]

    def line(self) -> str:
        verdict = "FAIL" if self.got_through else "pass"
        return f"{verdict}  {self.attack:<62} {self.seconds:6.1f} s"


def main(words: list[str] | None = None) -> int:
    options = _options(words)
    found = []
    with running() as target:
        for name in options.only:
            found.append(_try(target, name))
            print_progress(found[-1].line())
            for sentence in found[-1].got_through:
                print_progress(f"      {sentence}")
    failed = [outcome for outcome in found if outcome.got_through]
    if options.json:
        print(json.dumps([outcome._asdict() for outcome in found], indent=2))
    else:
        print(f"{len(found)} attacks, {len(failed)} got through")
    return 1 if failed else 0


def _try(target: Target, name: str) -> Outcome:
    """An attack that breaks down has proved nothing, so that counts as one that got through."""
    began = time.monotonic()
    try:
        got_through = ATTACKS[name](target)
    except Exception as error:
        got_through = [f"the attack could not be carried out: {type(error).__name__}: {error}"]
    return Outcome(name, round(time.monotonic() - began, 1), got_through)


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev drill attack", description=__doc__)
    parser.add_argument("--only", choices=list(ATTACKS), nargs="+", default=list(ATTACKS), metavar="ATTACK")
    parser.add_argument("--json", action="store_true", help="print the outcomes as JSON")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
