"""A whole Vectorpress for drills: real servers, a fake provider, and worker processes that are restarted."""

import contextlib
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import psycopg
from django.db import connection
from django.test.utils import override_settings

from benchmarks.tools import writing
from benchmarks.tools.stack import Stack, own_stack
from config.stack import paths, services
from config.stack.processes import Process
from config.stack.service import Service
from drills import stored_vectors
from drills.proxy import PASS, Proxy

LEASE_SECONDS = 5.0
SWEEP_SECONDS = 0.5
BATCH = 20
THREADS = 4
# a task that a drill has not seen embedded after this long is counted as lost
TIMEOUT_SECONDS = 90.0
_SETTINGS = {
    "EMBEDDING_WORKER_TIMEOUT": f"{LEASE_SECONDS * 1000:.0f}",
    "EMBEDDING_WORKER_INTERVAL": f"{SWEEP_SECONDS * 1000:.0f}",
    "EMBEDDING_BATCH_SIZE": str(BATCH),
    "EMBEDDING_WORKER_THREADS": str(THREADS),
    "EMBEDDING_CONCURRENT_WORKERS": "1",
}
_POLL_SECONDS = 0.05
BEHIND = """
SELECT count(*) FROM articles a WHERE 1 <> (
    SELECT count(*) FROM article_embeddings e
    WHERE e.article_id = a.id AND e.source_hash = a.content_hash AND e.embedding IS NOT NULL)
"""
LIVE = "SELECT count(*) FROM embedding_tasks WHERE status IN ('pending', 'processing')"
_DONE = "SELECT count(*) FROM embedding_tasks WHERE status = 'completed'"
_WORKERS = "SELECT count(*) FROM embedding_worker_status"
# read here again, apart from the product's own checker, so that one mistake cannot hide in both
_BROKEN = {
    "articles without exactly one vector of their current text": BEHIND,
    "tasks that neither run nor wait nor have ended well": (
        "SELECT count(*) FROM embedding_tasks WHERE status <> 'completed'"
    ),
    "vectors of an older text": """
        SELECT count(*) FROM article_embeddings e JOIN articles a ON a.id = e.article_id
        WHERE e.source_hash <> a.content_hash""",
    "tasks with more attempts than allowed": (
        "SELECT count(*) FROM embedding_tasks WHERE attempts > max_attempts"
    ),
}


class ProcessWithFailpoint:
    """A process whose failpoint reports when it is reached."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.reached_at: float | None = None
        process.on_line = self._hear

    def _hear(self, _process: Process, line: str) -> None:
        if line.startswith("failpoint "):
            self.reached_at = time.monotonic()


class System:
    """One stack, its workers, and the questions a drill asks.

    The drill itself is connected directly; processes that it starts go through the proxies while `is_proxied`, and
    with `environment` on top of the stack's own.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.kept: list[Service] = []
        self.restarts = 0
        self.is_proxied = False
        self.environment: dict[str, str] = {}
        self.lock_seconds = 60.0
        self.chosen = random.Random(0)
        self.lines: list[str] = []
        self.to_database = Proxy(str(stack.postgres.socket_dir / ".s.PGSQL.5432"))
        self.to_broker = Proxy(str(paths.valkey_socket(stack.valkey.socket_dir)))

    # --- processes -------------------------------------------------------------------------------------

    def start_workers(self, failpoint: str = "", *, kept: bool = True, processes: int = 1) -> Service:
        """Worker processes with their supervisor, which is restarted if it ends and `kept`."""
        with override_settings(EMBEDDING_CONCURRENT_WORKERS=processes):
            service = services.workers()
        self._arm(service.process, failpoint)
        service.process.on_line = self.count_line
        service.process.start()
        if kept:
            self.kept.append(service)
        return service

    def start_web(self) -> Service:
        """The web processes, ready once this returns; the caller stops them."""
        service = services.web()
        self._arm(service.process, "")
        service.start(TIMEOUT_SECONDS)
        return service

    def count_line(self, _process: Process, line: str) -> None:
        """Keeps log lines of workers and of others on request, except the line per batch."""
        if "batch settled" not in line:
            self.lines.append(line)

    def start_saver(self, count: int, failpoint: str = "") -> Process:
        """A process that saves `count` articles one by one, as the API does."""
        process = Process(
            "saver",
            [sys.executable, "-m", "drills.timed_saves", str(count)],
            env=services.child_environment(),
        )
        self._arm(process, failpoint)
        return process

    def restart_ended_workers(self) -> None:
        """Starts kept workers that have ended again, as a supervisor does."""
        for service in self.kept:
            if service.process.exited.is_set():
                service.process.start()
                self.restarts += 1

    def end_workers(self) -> None:
        """Kills all kept workers and forgets their rows; for between two trials, when nothing is under way.

        Those that are started next connect to the servers directly again."""
        for service in self.kept:
            service.process.kill()
            service.process.exited.wait()
        self.kept.clear()
        self.execute("DELETE FROM embedding_worker_status")
        self.is_proxied, self.environment = False, {}
        self.to_database.rules = self.to_broker.rules = PASS

    def await_workers(self, count: int) -> None:
        """Waits until so many worker processes have registered."""
        self.wait(lambda: self.value(_WORKERS) >= count, "workers")

    def _arm(self, process: Process, failpoint: str) -> None:
        routes = {
            "DATABASE_URL": f"postgresql://{paths.DATABASE_USER}@127.0.0.1:{self.to_database.port}/{paths.DATABASE}",
            "REDIS_URL": self.broker_url,
        }
        process.env = {
            **(process.env or os.environ), **(routes if self.is_proxied else {}),
            **self.environment, "VECTORPRESS_FAILPOINT": failpoint,
        }  # fmt: skip

    # --- load ------------------------------------------------------------------------------------------

    def fill(self, count: int, latency_ms: float = 20, *, with_tasks: bool = True) -> None:
        """`count` articles and nothing else, each with a task; the provider's counters are reset."""
        self.stack.empty()
        self.stack.provider.configure(latency_ms=latency_ms)
        if count:
            self.add(count, with_tasks=with_tasks)

    def add(self, count: int, *, with_tasks: bool = True) -> None:
        """`count` articles more; the tables may be in use, which an emptying would deadlock with."""
        writing.write_articles(self.stack, count, with_tasks=with_tasks)

    # --- questions -------------------------------------------------------------------------------------

    def value(self, query: str) -> Any:
        """The first column of the first row, over a new connection when the old one broke."""
        try:
            return self.stack.value(query)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            self.stack.database = psycopg.connect(self.stack.postgres.url, autocommit=True)
            return self.stack.value(query)

    def execute(self, query: str) -> None:
        self.value("SELECT 1")  # reconnects
        self.stack.database.execute(query.encode())

    def done(self) -> int:
        """Tasks that have ended well."""
        return int(self.value(_DONE))

    def is_at_rest(self) -> bool:
        """Whether every article has its vector and no task is left."""
        return not self.value(LIVE) and not self.value(BEHIND)

    def wait(self, condition: Callable[[], object], what: str, seconds: float = TIMEOUT_SECONDS) -> None:
        """Waits until the condition holds, and restarts ended workers meanwhile; raises TimeoutError."""
        ends = time.monotonic() + seconds
        while not self._holds(condition):
            if time.monotonic() > ends:
                raise TimeoutError(f"waited {seconds:g} s for {what}")
            self.restart_ended_workers()
            time.sleep(_POLL_SECONDS)

    def wait_or_report(self, condition: Callable[[], object], what: str, seconds: float) -> list[str]:
        """Waits like `wait`; returns an empty list, or the error as a sentence."""
        try:
            self.wait(condition, what, seconds)
        except TimeoutError as error:
            return [str(error)]
        return []

    def _holds(self, condition: Callable[[], object]) -> bool:
        try:
            return bool(condition())
        except psycopg.Error:  # the fault of the drill may be the database's
            return False

    def await_rest(self, seconds: float = TIMEOUT_SECONDS) -> int:
        """Waits until everything is embedded; returns how many articles are not after the time-out."""
        try:
            self.wait(self.is_at_rest, "everything to be embedded", seconds)
        except TimeoutError:
            return int(self.value(BEHIND)) or 1
        return 0

    def broken(self) -> list[str]:
        """Errors at rest, as sentences."""
        found = {what: self.value(query) for what, query in _BROKEN.items()}
        sentences = [f"{count} {what}" for what, count in found.items() if count]
        return sentences + self.breaches(at_rest=True) + self.wrong_vectors()

    def wrong_vectors(self) -> list[str]:
        """Whether any vector of a current text differs from the provider's; holds at any time."""
        self.value("SELECT 1")  # reconnects
        connection.close()
        load = self.stack.load
        try:
            product = stored_vectors.Product(
                load("embeddings.models.Space").objects.in_bulk(),
                load("embeddings.indexing.render.Source"),
                load("embeddings.indexing.render.render"),
            )
            return stored_vectors.wrong(self.stack.database, product, self.stack.provider.vectors)
        finally:
            connection.close()

    def breaches(self, *, at_rest: bool) -> list[str]:
        """Findings of the product's own checker."""
        connection.close()  # it may be one that a restarted server ended
        try:
            return [
                str(breach)
                for breach in self.stack.load("queueops.monitoring.invariant_check.broken")(at_rest=at_rest)
            ]
        finally:
            connection.close()

    @property
    def broker_url(self) -> str:
        """The broker's address behind the proxy."""
        return f"redis://127.0.0.1:{self.to_broker.port}/0"

    def health(self) -> tuple[str, list[str]]:
        """(condition, reasons) as a process would give them that reaches the broker through the proxy."""
        connection.close()
        try:
            with override_settings(REDIS_URL=self.broker_url):
                found = self.stack.load("queueops.monitoring.health.judge")(
                    self.stack.load("queueops.monitoring.snapshot.take")()
                )
            return str(found.condition), list(found.reasons)
        finally:
            connection.close()

    def wasted(self) -> int:
        """Texts the provider was sent beyond one for each article."""
        return int(self.stack.provider.stats()["texts"]) - int(self.value("SELECT count(*) FROM articles"))

    # --- life ------------------------------------------------------------------------------------------

    @classmethod
    @contextlib.contextmanager
    def running(cls, folder: Path | None = None, **settings: str) -> Iterator[Self]:
        """Servers and provider with a short lease and sweep, and more settings, below `folder` or where temporary
        files are; everything is gone at the end."""
        with own_stack(folder=folder, **_SETTINGS | settings) as stack:
            system = cls(stack)
            try:
                yield system
            finally:
                for service in system.kept:
                    service.process.kill()
                system.to_database.close()
                system.to_broker.close()
