"""How fast operators' acts on many tasks are, and what they cost others: as many failed tasks are requeued, cancelled
and put back as `--n` says, while workers drain and articles are saved."""

import argparse
import http.client
import itertools
import json
import os
import random
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import psycopg

from benchmarks.tools import writing
from benchmarks.tools.report import latencies, print_progress, print_result
from benchmarks.tools.stack import TOKEN, Stack, own_stack
from benchmarks.tools.usage import rss_mib

# sessions report to the statistics a second later
_STATISTICS_SECONDS = 1.5
_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
_FAILED = """
UPDATE embedding_tasks SET status = 'failed', outcome = 'failed', attempts = 3, error_class = 'transient',
    error_message = 'api.example answered 500', completed_at = now()
"""
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
_WAITING = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - state_change)), 0)::float8 FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND backend_type = 'client backend'
"""
_AUDITED = "SELECT count(*) FROM embedding_audit_logs WHERE operation_id = %s AND task_id IS NOT NULL"


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    with own_stack() as stack, stack.workers():
        stack.web()
        stack.provider.configure(latency_ms=options.latency_ms)
        print_progress(f"writing {options.n:,} articles whose tasks have failed")
        writing.write_articles(stack, options.n, with_tasks=True)
        stack.database.execute(_FAILED)
        stack.settle_down()
        alone = _Savers(stack, options)
        with alone:
            stack.pause(options.alone_seconds)
        deadlocks = stack.value(_DEADLOCKS)
        beside, waits = _Savers(stack, options), _Waits(stack)
        with beside, waits:
            everything = stack.load("queueops.monitoring.task_filter.TaskFilter")()
            acts = [_act(stack, "requeue", everything), _act(stack, "cancel", everything)]
            acts.append(_act(stack, "undo", acts[-1]["operation"]))
        stack.pause(_STATISTICS_SECONDS)
        results = {
            "acts": acts,
            "save_beside": latencies(beside.seconds) | {"saves": len(beside.seconds)},
            "save_alone": latencies(alone.seconds) | {"saves": len(alone.seconds)},
            "longest_lock_wait_ms": round(waits.longest * 1000, 1),
            "deadlocks": stack.value(_DEADLOCKS) - deadlocks,
            "invariants_broken": [
                str(breach) for breach in stack.load("queueops.monitoring.invariant_check.broken")(False)
            ],
        }
        print_progress(str(results))
        print_result("bulk", options, results)


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench bulk", description=__doc__)
    parser.add_argument("--n", type=int, default=200_000, help="tasks that have failed")
    parser.add_argument(
        "--latency-ms",
        type=float,
        default=3_000,
        help="of the provider: the higher, the more tasks are left to cancel",
    )
    parser.add_argument(
        "--savers", type=int, default=2, help="connections that save one article after another"
    )
    parser.add_argument("--alone-seconds", type=float, default=10, help="saves without an act beside them")
    return parser.parse_args(words)


def _act(stack: Stack, verb: str, *about: Any) -> dict[str, Any]:
    """One act, in this process; the memory is all of this process, which has also written the texts."""
    peaks: list[float] = []
    told = stack.load(f"queueops.operate.operations.{verb}")(
        *about,
        actor="a benchmark",
        reason="to measure it",
        progress=lambda *_: peaks.append(rss_mib(os.getpid()) or 0.0),
    )
    assert stack.value(_AUDITED, told.pk) == told.changed, "an audit row is missing"
    seconds = (told.finished_at - told.started_at).total_seconds()
    found = {
        "verb": told.verb,
        "operation": told.pk,
        "changed": told.changed,
        "skips": told.skips,
        "seconds": round(seconds, 2),
        "tasks_per_second": round(told.total / max(seconds, 0.001)),
        "peak_rss_mib": round(max(peaks, default=0.0)),
    }
    print_progress(str(found))
    return found


class _Savers:
    """Edits articles at random as long as it is entered; `seconds` is how long each edit took over HTTP."""

    def __init__(self, stack: Stack, options: argparse.Namespace) -> None:
        self.seconds: list[float] = []
        self._address = urlsplit(stack.web_url).netloc
        self._count = options.n
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(options.savers)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _run(self, seed: int) -> None:
        chosen = random.Random(seed)
        connection = http.client.HTTPConnection(self._address, timeout=60)
        for number in itertools.count():
            path = f"/api/articles/article-7-{chosen.randrange(self._count)}"
            body = json.dumps({"content": f"Edit {number} by {seed} at {time.time()}."})
            began = time.perf_counter()
            connection.request("PATCH", path, body, _HEADERS)
            reply = connection.getresponse()
            said = reply.read()
            self.seconds.append(time.perf_counter() - began)
            assert reply.status == 200, said
            if self._done.is_set():
                break


class _Waits:
    """Looks every few milliseconds whether anybody waits for a lock; `longest` in seconds."""

    def __init__(self, stack: Stack) -> None:
        self.longest = 0.0
        self._url = stack.postgres.url
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._done.wait(0.005):
                row = connection.execute(_WAITING).fetchone()
                self.longest = max(self.longest, row[0] if row else 0.0)


if __name__ == "__main__":
    main()
