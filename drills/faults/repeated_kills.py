"""Worker processes that are killed again and again: by something outside, or by a text."""

import os
import signal
import threading
import time
from contextlib import suppress
from functools import partial

import psycopg

from benchmarks.tools.report import print_progress
from drills.system_under_test import System
from drills.trial_results import FaultResult

KILLS = 6
# Slow, so that all threads hold tasks at each kill.
SLOW_MS, _ARTICLES = 3_000.0, 600
STEADY_MS, _STEADY_ARTICLES, STEADY_KILLS, BETWEEN_KILLS = 500.0, 10_000, 15, 2.5
_TIMEOUT_SECONDS, _UNTIL_ALL_HOLD = 60.0, 1.0
# A loss is known once a living worker has returned what the lost one held: a lease and a sweep later.
_UNTIL_SAID = 10.0
_HELD = "SELECT count(*) FROM embedding_tasks WHERE status = 'processing' AND processed_at > '{since}'"
_NOW = "SELECT clock_timestamp()::text"
_PARKED = "SELECT count(*) FROM embedding_tasks WHERE status = 'failed'"
_DEADLY = "SELECT coalesce(max(article_id), 0) FROM embedding_tasks WHERE status = 'pending' AND losses = 0"
# The process that holds the text, and its pid: it is killed.
_HOLDER = """
SELECT w.name FROM embedding_tasks t JOIN embedding_worker_status w ON t.claimed_by = 'worker ' || w.id
WHERE t.status = 'processing' AND t.article_id = %s
"""
_END = (
    "SELECT status || ' ' || error_class || ' ' || attempts FROM embedding_tasks WHERE article_id = {article}"
)
_OTHERS_LEFT = """
SELECT count(*) FROM embedding_tasks WHERE article_id <> {article} AND status <> 'completed'
"""
_DEADLY_SECONDS = 180.0


def kill_all_often(system: System) -> FaultResult:
    """All processes at once, six times, each time while they hold tasks: a machine short of memory, a bad deploy."""
    _begin(system, _ARTICLES, SLOW_MS)
    broken: list[str] = []
    for _ in range(KILLS):
        broken += system.wait_or_report(
            partial(_hold_tasks, system, system.value(_NOW)), "tasks in work", _TIMEOUT_SECONDS
        )
        system.stack.pause(_UNTIL_ALL_HOLD)
        kill_all(system)
    ended = time.monotonic()
    system.wait(lambda: system.health()[0] != "down", "workers")
    broken += system.wait_or_report(
        partial(_says_workers_lost, system), "health that names lost workers", _UNTIL_SAID
    )
    return FaultResult(ended, broken + _parked(system))


def kill_steadily(system: System) -> FaultResult:
    """All processes at once, again and again, each time when a batch has had the time to end."""
    _begin(system, _STEADY_ARTICLES, STEADY_MS)
    broken, in_vain = list[str](), 0
    for _ in range(STEADY_KILLS):
        done, since = system.done(), system.value(_NOW)
        broken += system.wait_or_report(
            partial(_hold_tasks, system, since), "tasks in work", _TIMEOUT_SECONDS
        )
        system.stack.pause(BETWEEN_KILLS)
        in_vain += not system.is_at_rest() and system.done() == done
        kill_all(system)
    print_progress(
        f"nothing was done between two kills {in_vain} of {STEADY_KILLS} times; {system.done()} tasks are"
    )
    if in_vain:
        broken.append(f"{in_vain} times nothing was done between two kills")
    return FaultResult(time.monotonic(), broken + _parked(system))


def deadly_text(system: System) -> FaultResult:
    """The worker that begins this text is killed: the text is parked in bounded time, and all others are embedded."""
    since, article = time.monotonic(), int(system.value(_DEADLY))
    stopping = threading.Event()
    killer = threading.Thread(target=_kill_holders, args=[system.stack.postgres.url, article, stopping])
    killer.start()
    broken = system.wait_or_report(
        lambda: str(system.value(_END.format(article=article))).startswith("failed"),
        "the text to be parked",
        _DEADLY_SECONDS,
    )
    stopping.set()
    killer.join()
    end = system.value(_END.format(article=article))
    if end != "failed worker_lost 3":
        broken.append(f"the text ended as {end!r}, not parked after three attempts")
    broken += system.wait_or_report(
        lambda: not system.value(_OTHERS_LEFT.format(article=article)), "all others", _TIMEOUT_SECONDS
    )
    took = time.monotonic() - since
    system.execute(f"DELETE FROM articles WHERE id = {article}")
    return FaultResult(time.monotonic() - took, broken)


def _kill_holders(url: str, article: int, stopping: threading.Event) -> None:
    with psycopg.connect(url, autocommit=True) as session:
        while not stopping.wait(0.01):
            row = session.execute(_HOLDER, [article]).fetchone()
            if row:
                _kill(int(row[0].rpartition(":")[2]))


def _begin(system: System, articles: int, latency_ms: float) -> None:
    """Another backlog for the same workers, and a provider as slow as this."""
    system.wait(system.is_at_rest, "the first backlog")
    system.fill(articles, latency_ms)


def _hold_tasks(system: System, since: str) -> bool:
    return bool(system.value(_HELD.format(since=since)))


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_all(system: System) -> None:
    """Every worker process with its supervisor, replaced by others."""
    for service in system.kept:
        service.process.kill()
        service.process.exited.wait()
    system.restart_ended_workers()


def _says_workers_lost(system: System) -> bool:
    return any("Workers were lost" in reason for reason in system.health()[1])


def _parked(system: System) -> list[str]:
    parked = system.value(_PARKED)
    return [f"{parked} harmless texts were parked"] if parked else []
