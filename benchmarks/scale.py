"""Whether a call costs the same on a large installation as on a small one: the product's operations on databases of
several sizes, in turn, each as a ratio to the smallest."""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from benchmarks.tools.report import print_progress, print_result
from benchmarks.tools.scale_process import RAW
from benchmarks.tools.stack import Stack, own_stack
from config.stack import paths

# Of a call that costs the same at every size; the rest is noise, and one more level of a B-tree.
MOST_GROWTH = 1.3
_CALLS = 3
_CHURNS = 3
_COSTS = ("seconds", "pages")
type Calls = list[dict[str, float]]


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    with own_stack() as stack, ExitStack() as entered:
        sizes = sorted(options.sizes)
        processes = {size: entered.enter_context(_process(stack, size)) for size in sizes}
        filled = {size: process.ask("fill", size) for size, process in processes.items()}
        calls = _measure(processes, filled[sizes[0]]["operations"], options.rounds)
        churned = [processes[sizes[0]].ask("churn", options.churn) for _ in range(_CHURNS) if options.churn]
        indexed = {size: process for size, process in processes.items() if size <= options.search_most}
        built = {size: process.ask("index") for size, process in indexed.items()}
        if indexed:
            calls |= _measure(indexed, built[min(indexed)]["operations"], options.rounds)
        rows = [row(name, calls) for name in calls]
        if not options.json:
            print_progress(table(rows, sizes))
        results = {
            "operations": rows,
            "growing": [row["operation"] for row in rows if row["grows"]],
            "bytes": {size: each["bytes"] for size, each in filled.items()},
            "churn": churned,
            "index_seconds": {size: each["seconds"] for size, each in built.items()},
        }
        print_result("scale", options, results)


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench scale", description=__doc__)
    add = parser.add_argument
    add("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="articles, one task each")
    add("--search-most", type=int, default=100_000, help="the largest size that gets an approximate index")
    add("--rounds", type=int, default=7, help="over all sizes, in random order")
    add(
        "--churn", type=int, default=60_000, help="tasks worked off three times, to see how their table grows"
    )
    add("--json", action="store_true", help="only the JSON, without the table on standard error")
    return parser.parse_args(words)


class _Process:
    """The part of one size, in a process of its own with a database of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, *request: Any) -> Any:
        """Its answer (benchmarks/tools/scale_process.py). Raises RuntimeError if the process has ended."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        if not (answer := self._process.stdout.readline()):
            raise RuntimeError(f"the process that was asked {request} has ended; its reason is above")
        return json.loads(answer)


@contextmanager
def _process(stack: Stack, size: int) -> Iterator[_Process]:
    print_progress(f"writing {size:,} articles, tasks and vectors")
    database = f"scale_{size}"
    with stack.maintenance() as session:
        session.execute(f"CREATE DATABASE {database} OWNER {paths.DATABASE_USER}".encode())
    environment = {
        **os.environ,
        "DATABASE_URL": paths.postgres_url(stack.postgres.socket_dir, database),
        "REDIS_URL": paths.redis_url(stack.data_dir),
    }
    command = [sys.executable, "-m", "benchmarks.tools.scale_process"]
    with subprocess.Popen(
        command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield _Process(process)
        assert process.stdin
        process.stdin.close()


def _measure(processes: dict[int, _Process], names: list[str], rounds: int) -> dict[str, dict[int, Calls]]:
    """Operation → size → its calls. The sizes take turns, so that a noisy minute is in all of them."""
    calls: dict[str, dict[int, Calls]] = {name: defaultdict(list) for name in names}
    order = random.Random(1)
    for number in range(-1, rounds):  # the first round warms up
        print_progress(f"round {number + 1} of {rounds}")
        for name in names:
            for size in order.sample(list(processes), len(processes)):
                measured = processes[size].ask("measure", name, _CALLS)
                if number >= 0:
                    calls[name][size] += measured
    return calls


def row(name: str, calls: dict[str, dict[int, Calls]]) -> dict[str, Any]:
    """Cost at each size, and how it grows; a search may grow as its raw SQL does. Time that grows while pages do not
    is another program's doing."""
    by_size, raw = calls[name], calls.get(name + RAW)
    growth = {of: _growth(by_size, of) for of in _COSTS}
    allowed = {of: MOST_GROWTH * max(_growth(raw, of) if raw else 1.0, 1.0) for of in _COSTS}
    return {
        "operation": name,
        "ms": {size: round(_cost(each, "seconds") * 1000, 4) for size, each in by_size.items()},
        "pages": {size: round(_cost(each, "pages"), 1) for size, each in by_size.items()},
        "growth": {of: round(growth[of], 2) for of in _COSTS},
        "allowed": {of: round(allowed[of], 2) for of in _COSTS},
        "grows": all(growth[of] > allowed[of] for of in _COSTS) and not name.endswith(RAW),
    }


def _growth(by_size: dict[int, Calls], of: str) -> float:
    """Cost at the largest size as a multiple of that at the smallest."""
    return _cost(by_size[max(by_size)], of) / max(_cost(by_size[min(by_size)], of), 1e-9)


def _cost(calls: Calls, of: str) -> float:
    return statistics.median(call[of] for call in calls)


def table(rows: list[dict[str, Any]], sizes: list[int]) -> str:
    """The rows as a table for people."""
    head = "".join(f"{size:>20,}" for size in sizes)
    lines = [f"{'ms (pages) per item':<62}{head}  growth of time, pages"]
    for each in rows:
        cells = "".join(_cell(each, size) for size in sizes)
        growth, allowed = each["growth"], each["allowed"]
        mark = f"  GROWS, at most {allowed['seconds']:.2f}, {allowed['pages']:.2f}" if each["grows"] else ""
        lines.append(f"{each['operation']:<62}{cells}{growth['seconds']:>8.2f}{growth['pages']:>8.2f}{mark}")
    return "\n".join(lines)


def _cell(of: dict[str, Any], size: int) -> str:
    if size not in of["ms"]:
        return f"{'-':>20}"
    pages = f"({of['pages'][size]:,.0f})"
    return f"{of['ms'][size]:>11,.3f} {pages:>8}"


if __name__ == "__main__":
    main()
