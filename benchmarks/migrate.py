"""How long `manage.py embed_migrate` takes to analyze a corpus, to queue it, and to take that back."""

import argparse
import json
import time
from typing import Any

from benchmarks.tools import writing
from benchmarks.tools.report import print_progress, print_result
from benchmarks.tools.stack import own_stack
from benchmarks.tools.usage import Usage
from config.stack import services

_QUEUED = (
    "SELECT count(*) FROM embedding_tasks WHERE metadata->>'reason' = 'migration' AND status = 'pending'"
)
_LOOK_SECONDS = 0.1


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    with own_stack() as stack:
        print_progress(f"writing {options.n:,} articles")
        writing.write_articles(stack, options.n, with_tasks=False)
        stack.settle_down()
        analyzed = _call("analyze")
        queued = _call("run", "--yes")
        assert stack.value(_QUEUED) == options.n, queued
        again = _call("run", "--yes")
        back = _call("rollback", "--confirm")
        assert back["told"]["verified"], back
        print_result(
            "migrate",
            options,
            {
                "analyze": _figures(analyzed),
                "run": _figures(queued) | {"enqueue_seconds": queued["told"]["seconds"]},
                "run_again": _figures(again),
                "rollback": _figures(back),
            },
        )


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench migrate", description=__doc__)
    parser.add_argument("--n", type=int, default=100_000, help="articles")
    return parser.parse_args(words)


def _call(verb: str, *words: str) -> dict[str, Any]:
    process = services.manage(verb, "embed_migrate", verb, *words, "--json")
    started = time.monotonic()
    process.start()
    with Usage(process.pid) as used:
        while not process.exited.wait(_LOOK_SECONDS):
            pass
    seconds = time.monotonic() - started
    told = json.loads(process.last_lines[-1])
    print_progress(f"{verb}: {seconds:.1f} s, peak {used.peak_mib} MiB")
    return {"told": told, "seconds": seconds, "used": used}


def _figures(called: dict[str, Any]) -> dict[str, Any]:
    """`seconds` are those of the whole process, the start of Python included."""
    used = called["used"]
    return {
        "seconds": round(called["seconds"], 2),
        "peak_rss_mib": used.peak_mib,
        "cpu_seconds": used.seconds,
    }


if __name__ == "__main__":
    main()
