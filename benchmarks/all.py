"""The benchmarks that have a hand-written limit, each with its limit in the same rounds: a table of ratios, and a file
per release (benchmarks/results/) from which the README's table is made."""

import argparse
import json
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.tools import comparison
from benchmarks.tools.report import machine, print_progress, print_result, versions

_ROOT = Path(__file__).parents[1]
_LIMIT = "benchmarks/limits/pipeline.py"
_ROUNDS = {"drain": "--repeat", "search": "--rounds", "save": "--rounds"}
_FULL = {
    "drain": ["--n=20000", "--latency-ms", "0", "50"],
    "search": ["--n=100000", "--queries=300"],
    "save": ["--n=2000", "--modes", "disabled", "queued"],
    "freshness": ["--rounds=100", "--corpus=2000"],
}
_QUICK = {
    "drain": ["--n=60", "--latency-ms", "0", "50"],
    "search": ["--n=300", "--queries=5"],
    "save": ["--n=15", "--connections=3", "--warm-up=0", "--modes", "disabled", "queued"],
    "freshness": ["--rounds=5", "--warm-up=1", "--corpus=20"],
}


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    if options.readme_only:
        comparison.write_readme(comparison.newest())
        return
    began = time.monotonic()
    results = {name: _run(name, options) for name in options.only}
    rows = comparison.rows(results)
    print_progress(comparison.table(rows))
    release = {
        "release": options.release,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "versions": versions(),
        "rounds": options.rounds,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "comparison": rows,
        "benchmarks": results,
    }
    if options.compare and not options.quick and set(options.only) == set(_FULL):
        print_progress(f"written: {comparison.write(release)}, and the README's table")
        comparison.write_readme(release)
    print_result("all", options, {"comparison": rows})


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench all", description=__doc__)
    add = parser.add_argument
    add("--compare", action="store_true", help="write benchmarks/results/RELEASE.json and the README's table")
    add("--rounds", type=int, default=5, help="of ours and of the limit, in turn")
    add(
        "--only", nargs="+", choices=list(_FULL), default=list(_FULL), help="some of them; nothing is written"
    )
    add("--release", default=_version(), help="whose results these are")
    add("--quick", action="store_true", help="tiny sizes, to see that it works; nothing is written")
    add(
        "--readme-only",
        action="store_true",
        help="make the README's table from the newest file, measure nothing",
    )
    return parser.parse_args(words)


def _version() -> str:
    project: dict[str, Any] = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def _run(name: str, options: argparse.Namespace) -> Any:
    """The results of one benchmark, in a process of its own."""
    words = list((_QUICK if options.quick else _FULL)[name])
    if name in _ROUNDS:
        words.append(f"{_ROUNDS[name]}={options.rounds}")
    if name == "drain":
        words.append(f"--limit-script={_LIMIT}")
    print_progress(f"{name} {' '.join(words)}")
    command = [sys.executable, "-m", f"benchmarks.{name}", *words]
    ran = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ran.stdout)["results"]


if __name__ == "__main__":
    main()
