"""How fast `manage.py import_articles` reads a file of JSON lines, and whether its memory stays flat."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from benchmarks.tools import texts
from benchmarks.tools.report import print_progress, print_result
from benchmarks.tools.stack import Stack, own_stack
from benchmarks.tools.usage import Usage, rss_mib
from config.stack import services

_QUARTERS = [0.25, 0.5, 0.75, 1.0]
_WRITTEN = "SELECT count(*) FROM articles"
_LOOK_SECONDS = 0.25


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    with own_stack() as stack:
        source = _source(stack.data_dir / "articles.jsonl", options.n)
        first = _import(stack, source, options.n, "created")
        again = _import(stack, source, options.n, "unchanged")
        del again["rss_mib_at"]  # everything is there from its beginning on
        print_result("import", options, {"first": first, "again": again})


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench import", description=__doc__)
    parser.add_argument("--n", type=int, default=100_000, help="articles")
    return parser.parse_args(words)


def _source(path: Path, count: int) -> Path:
    print_progress(f"writing {count:,} articles to a file")
    with path.open("w") as file:
        for text in texts.articles(count):
            file.write(json.dumps(text._asdict()) + "\n")
    return path


def _import(stack: Stack, source: Path, count: int, expected: str) -> dict[str, Any]:
    process = services.manage("import", "import_articles", "--jsonl", str(source), "--json")
    started = time.monotonic()
    process.start()
    flat: dict[str, float | None] = {}
    quarters = iter(_QUARTERS)
    share = next(quarters)
    with Usage(process.pid) as used:
        while not process.exited.wait(_LOOK_SECONDS):
            memory = rss_mib(process.pid or 0)
            while memory and share <= 1 and stack.value(_WRITTEN) >= share * count:
                flat[f"{share:.0%}"] = round(memory)
                share = next(quarters, 2.0)
    seconds = time.monotonic() - started
    told = json.loads(process.last_lines[-1])
    assert told[expected] == count, told
    print_progress(f"{expected} {count:,} in {seconds:.1f} s, peak {used.peak_mib} MiB, {flat}")
    return {
        "articles_per_second": round(count / seconds),
        "seconds": round(seconds, 2),
        "peak_rss_mib": used.peak_mib,
        "rss_mib_at": flat,
        "cpu_seconds": used.seconds,
    }


if __name__ == "__main__":
    main()
