"""How long the operator's verbs take, and how much memory, where there are a million tasks; and how long the cleanup of
half a million rows holds its locks."""

import argparse
import contextlib
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection

from benchmarks.tools.report import latencies, print_progress, print_result
from benchmarks.tools.stack import Stack, own_stack

_ARTICLES = """
INSERT INTO articles (slug, title, content)
SELECT 'article-' || n, 'Article ' || n, 'The text of article ' || n FROM generate_series(1, %s) n
"""
# Half completed long ago, a fifth lately; the rest waits, has failed, was cancelled, or is in a worker's hands.
_TASKS = """
INSERT INTO embedding_tasks (article_id, slug, space_id, status, priority, attempts, created_at, processed_at,
                             completed_at, lease_expires_at, claim_token, claimed_by, outcome, error_class,
                             error_message)
SELECT a.id, a.slug, s.id, kind.status, CASE a.id % 3 WHEN 0 THEN 'low' ELSE 'normal' END,
       CASE kind.status WHEN 'pending' THEN 0 ELSE 1 END, kind.ended - interval '1 minute',
       CASE WHEN kind.status <> 'pending' THEN kind.ended - interval '1 second' END,
       CASE WHEN kind.status IN ('completed', 'failed', 'cancelled') THEN kind.ended END,
       CASE WHEN kind.status = 'processing' THEN now() + interval '1 hour' END,
       CASE WHEN kind.status = 'processing' THEN gen_random_uuid() END,
       CASE WHEN kind.status = 'pending' THEN '' ELSE 'worker 1' END,
       CASE kind.status WHEN 'completed' THEN 'embedded' WHEN 'failed' THEN 'failed' ELSE '' END,
       CASE kind.status WHEN 'failed' THEN (ARRAY['transient', 'invalid_input', 'too_long'])[1 + a.id % 3] ELSE '' END,
       CASE kind.status WHEN 'failed' THEN 'h answered 500' ELSE '' END
FROM articles a CROSS JOIN embedding_spaces s, LATERAL (
    SELECT CASE WHEN a.id % 100 < 70 THEN 'completed' WHEN a.id % 100 < 90 THEN 'pending'
                WHEN a.id % 100 < 98 THEN 'failed' WHEN a.id % 100 < 99 THEN 'cancelled'
                WHEN a.id % 1000 = 999 THEN 'processing' ELSE 'completed' END AS status,
           now() - CASE WHEN a.id % 100 < 50 THEN interval '40 days'
                        ELSE interval '1 second' * (a.id % 86400) END AS ended
) kind
"""
_METRICS = """
INSERT INTO performance_metrics (timestamp, name, value)
SELECT now() - n * interval '10 seconds', 'name_' || n %% 12, n FROM generate_series(1, %s) n
"""
_VERBS: dict[str, list[str]] = {
    "status": ["status"],
    "stats": ["stats"],
    "health": ["health"],
    "metrics": ["metrics"],
    "recent": ["recent"],
    "failed": ["failed", "--details"],
    "list_pending": ["list", "pending", "--limit=100"],
    "list_completed_middle": ["list", "completed", "--after={middle}"],
    "list_processing": ["list", "processing"],
    "debug": ["debug", "{middle}"],
    "explain": ["explain", "article-{middle}"],
    "monitor": ["monitor", "--count=1"],
}
_LONG_VERBS: dict[str, list[str]] = {
    "export": ["export", "--output={file}", "--yes"],  # it runs again to measure its memory
    "import": ["import", "{file}", "--yes"],
    "cleanup_dry_run": ["cleanup", "--days=30", "--dry-run"],
}
_PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    with own_stack() as stack:
        fill(stack, options.n)
        with tempfile.TemporaryDirectory() as folder:
            named = {"middle": str(options.n // 2), "file": str(Path(folder) / "tasks.jsonl")}
            verbs = {
                name: measure(name, verb, named, options.repeat, options.memory)
                for name, verb in _VERBS.items()
            }
            verbs |= {
                name: measure(name, verb, named, 1, options.memory) for name, verb in _LONG_VERBS.items()
            }
        results = {"verbs": verbs, "cleanup": cleanup(stack)}
        print_result("cli", options, results)


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench cli", description=__doc__)
    parser.add_argument("--n", type=int, default=1_000_000, help="articles, one task each")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument(
        "--memory", action=argparse.BooleanOptionalAction, default=True, help="measure each verb's memory too"
    )
    return parser.parse_args(words)


def fill(stack: Stack, count: int) -> None:
    """Articles, tasks and metrics, as many of each, and the sample that a worker would have written."""
    print_progress(f"writing {count:,} articles, tasks and metrics")
    for statement in (_ARTICLES, _METRICS):
        stack.database.execute(statement.encode(), [count])
    stack.database.execute(_TASKS.encode())
    stack.database.execute("INSERT INTO embedding_worker_status DEFAULT VALUES")
    stack.settle_down()
    stack.load("queueops.maintenance.sampler.sample")()


def measure(name: str, verb: list[str], named: dict[str, str], repeat: int, memory: bool) -> dict[str, Any]:
    """How long the verb takes once the program is loaded, connecting included, and the most memory of a process of its
    own in MiB."""
    words = [word.format(**named) for word in verb]
    found: dict[str, Any] = {"answer": latencies([_seconds(words) for _ in range(repeat)])}
    if memory:
        found["peak_mib"] = round(peak([sys.executable, "manage.py", "queue_admin", *words]))
    print_progress(f"{name}: {found}")
    return found


def _seconds(words: list[str]) -> float:
    connection.close()
    began = time.monotonic()
    with contextlib.suppress(SystemExit):  # its exit code is about the queue
        call_command("queue_admin", *words, stdout=io.StringIO())
    return time.monotonic() - began


def peak(words: list[str]) -> float:
    """Peak memory of a process in MiB."""
    # by way of a small process: what one is started from counts as its memory too
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _PEAK, *words], stdout=subprocess.PIPE, check=True
    )
    code, size = map(int, told.stdout.split())
    if code not in {0, 1, 2}:
        raise RuntimeError(f"{' '.join(words)} exited with {code}")
    return size / (1024 if sys.platform == "linux" else 1024 * 1024)


def cleanup(stack: Stack) -> dict[str, Any]:
    """Removes all old rows, a statement and its locks at a time."""
    retention = stack.load("queueops.maintenance.cleanup.batches")
    age = stack.load("datetime.timedelta")(days=30)
    statements = list(_timed(retention(age)))
    removed = sum(count for count, _ in statements)
    found = {
        "rows": removed,
        "statements": len(statements),
        "statement": latencies([s for _, s in statements]),
    }
    print_progress(f"cleanup: {found}")
    return found


def _timed(batches: Iterator[Any]) -> Iterator[tuple[int, float]]:
    while True:
        began = time.monotonic()
        if (batch := next(batches, None)) is None:
            return
        yield batch.total, time.monotonic() - began


if __name__ == "__main__":
    main()
