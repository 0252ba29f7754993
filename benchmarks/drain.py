"""How fast a backlog is worked off: real worker processes, started and idle, then N tasks appear and one bell rings."""

import argparse
import contextlib
import itertools
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from benchmarks.tools import draining
from benchmarks.tools.report import print_progress, print_result, spread
from benchmarks.tools.stack import Stack, own_stack, wait_until
from benchmarks.tools.usage import Usage
from config.stack.service import Service

# not counted: every thread has its connection before anything is measured
_WARM_UP = 4_000
# the approximate index is built after a load; here, where load follows load, never
_HOLD_INDEXES = (
    "SELECT pg_advisory_lock(hashtext('embeddings.storage.ann_index'), id::int) FROM embedding_spaces"
)
_DONE = "SELECT coalesce(sum(tasks_done), 0)::bigint FROM embedding_worker_status"
_DOCS, _CPU = re.compile(r"docs/s ([\d,]+)"), re.compile(r"cpu_seconds ([\d.]+)")
_OF_LIMIT = (
    *("limit_docs_per_second", "share_of_limit"),
    *("cpu_ms_per_document", "limit_cpu_ms_per_document", "cpu_of_limit"),
)
_EXACT = """
SELECT count(*) FROM articles a WHERE 1 = (
    SELECT count(*) FROM article_embeddings e
    WHERE e.article_id = a.id AND e.source_hash = a.content_hash AND e.embedding IS NOT NULL)
"""


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    with own_stack() as stack:
        stack.database.execute(_HOLD_INDEXES)
        rows = [
            row
            for processes, threads, batch in itertools.product(
                options.processes, options.threads, options.batch
            )
            for row in _measure(stack, options, processes, threads, batch)
        ]
        print_result("drain", options, rows)


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench drain", description=__doc__)
    add = parser.add_argument
    add("--n", type=int, default=20_000, help="articles")
    add("--latency-ms", type=float, nargs="+", default=[0, 50], help="of the provider, each in turn")
    add("--repeat", type=int, default=3)
    add("--processes", type=int, nargs="+", default=[2])
    add("--threads", type=int, nargs="+", default=[4], help="in each process")
    add("--batch", type=int, nargs="+", default=[0], help="tasks a claim, 0: what the product chooses")
    add(
        "--limit-script",
        type=Path,
        help="a hand-written pipeline to run beside, such as benchmarks/limits/pipeline.py",
    )
    add("--limit-python", default=sys.executable, help="the Python that has what the limit needs")
    add("--limit-shape", default="2:4:100", help="processes:threads:batch of the limit")
    return parser.parse_args(words)


def _measure(
    stack: Stack, options: argparse.Namespace, processes: int, threads: int, batch: int
) -> Iterator[dict[str, Any]]:
    """One row for each latency: repeated runs of the same worker processes."""
    with stack.workers(processes, threads, batch) as workers:
        _run(stack, workers, min(options.n, _WARM_UP), 0)
        for latency in options.latency_ms:
            shape = {"latency_ms": latency, "processes": processes, "threads": threads, "batch": batch}
            runs = [_round(stack, workers, options, latency) for _ in range(options.repeat)]
            row = shape | {"docs_per_second": spread([run["docs_per_second"] for run in runs]), "runs": runs}
            if options.limit_script:
                row |= {
                    name: spread([run[name] for run in runs], digits=2)
                    for name in _OF_LIMIT
                    if name in runs[0]
                }
            print_progress(f"{shape}: {row['docs_per_second']} {row.get('share_of_limit', '')}")
            yield row


def _round(stack: Stack, workers: Service, options: argparse.Namespace, latency: float) -> dict[str, Any]:
    """One run, and one of the limit right after it: a shared machine is not as fast a minute later."""
    run = _run(stack, workers, options.n, latency)
    if not options.limit_script:
        return run
    limit = _limit(stack, options, latency)
    run |= {"limit_docs_per_second": limit["docs"], "share_of_limit": run["docs_per_second"] / limit["docs"]}
    used = run["cpu_seconds"]
    if "cpu" in limit and used["workers"]:
        ours = used["workers"] + used["postgres"]
        per_document = {"cpu_ms_per_document": ours, "limit_cpu_ms_per_document": limit["cpu"]}
        run |= {name: seconds * 1000 / options.n for name, seconds in per_document.items()}
        run["cpu_of_limit"] = ours / limit["cpu"]
    return run


def _run(stack: Stack, workers: Service, count: int, latency: float) -> dict[str, Any]:
    draining.fill(stack, count)
    stack.provider.configure(latency_ms=latency)
    before = stack.value(_DONE)
    members = {"workers": workers, "postgres": stack.postgres, "provider": stack.provider}
    with contextlib.ExitStack() as entered:
        used = {name: entered.enter_context(Usage(it.process.pid)) for name, it in members.items()}
        started = time.monotonic()
        draining.resume(stack)
        wait_until(lambda: stack.value(_DONE) - before >= count, f"{count} tasks")
        seconds = time.monotonic() - started
    assert stack.value(_EXACT) == count, "an article lacks its vector, or has more than one"
    stats = stack.provider.stats()
    return {
        "docs_per_second": round(draining.speed(stack)),
        "seconds": round(seconds, 3),
        "requests": stats["requests"],
        "most_in_flight": stats["max_in_flight"],
        "workers_peak_rss_mib": used["workers"].peak_mib,
        "cpu_seconds": {name: each.seconds for name, each in used.items()},
        "cpu_us_per_document": {name: _per_document(each.seconds, count) for name, each in used.items()},
    }


def _per_document(seconds: float | None, count: int) -> float | None:
    return None if seconds is None else round(seconds * 1e6 / count, 1)


def _limit(stack: Stack, options: argparse.Namespace, latency: float) -> dict[str, float]:
    """What the hand-written pipeline does on the same server and provider: `docs` per second and, if it says so, the
    processor seconds (`cpu`) of itself and Postgres."""
    environment = {
        "PERF_PG_URI": stack.limit_database(),
        "PERF_PROVIDER_URL": stack.provider.url,
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(settings.BASE_DIR),
    }
    ran = subprocess.run(
        [
            *[options.limit_python, str(options.limit_script), "pipe", "-n", str(options.n), "--repeat", "1"],
            *["--latency", str(latency), "--cfg", options.limit_shape],
        ],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = _DOCS.search(ran.stdout)
    assert found, f"the limit said {ran.stdout!r}"
    limit = {"docs": float(found[1].replace(",", ""))}
    return limit | ({"cpu": float(cpu[1])} if (cpu := _CPU.search(ran.stdout)) else {})


if __name__ == "__main__":
    main()
