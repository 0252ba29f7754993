"""A Vectorpress of a benchmark's own: servers with real durability, fake provider, workers and web as `./dev up` has
them, in a temporary folder that is gone at the end."""

import contextlib
import json
import os
import shutil
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django
import psycopg
from django.core.management import call_command
from django.test.utils import override_settings
from django.utils.module_loading import import_string

from benchmarks.limits.save import DATABASE_VARIABLE
from benchmarks.tools import floor
from benchmarks.tools.report import print_progress
from config.stack import accounts, ownership, paths, services
from config.stack.postgres import PostgresServer
from config.stack.processes import Process
from config.stack.service import Service
from config.stack.valkey import ValkeyServer

DIMENSIONS = 384
TOKEN = "benchmark-token-long-enough-to-be-taken"
PROCESSES = int(os.environ.get("BENCHMARK_PROCESSES", 2))
"""Web processes, and worker processes where a benchmark does not say: as `./dev up` has them, fewer for a quick try."""
_PREFIXES = ("EMBEDDING_", "OPENAI_", "OLLAMA_", "SEMANTIC_", "WEB_", "API_", "PUBLIC_", "LOCAL_EMBEDDER_")
_BOOT_SECONDS = 60.0
_WORKERS = "SELECT count(*) FROM embedding_worker_status"
_BUSY_TABLES = "articles, article_versions, article_embeddings, embedding_tasks"
_TABLES = "articles, embedding_audit_logs, performance_metrics"


class Stack:
    """The running servers and provider; workers and web are started when a benchmark asks for them."""

    def __init__(
        self, data_dir: Path, postgres: PostgresServer, valkey: ValkeyServer, provider: "Provider"
    ) -> None:
        self.data_dir = data_dir
        self.postgres = postgres
        self.valkey = valkey
        self.provider = provider
        self.web_url = ""
        self.pids: dict[str, int | None] = {}
        """Of what serves an address: the web processes' parent, and the floor's."""
        self.database = psycopg.connect(postgres.url, autocommit=True)
        self._running = contextlib.ExitStack()

    def load(self, name: str) -> Any:
        """A function of the product by its dotted name: its modules cannot be imported before the stack is up."""
        return import_string(name)

    def run(self, service: Service) -> Service:
        """Starts a member and stops it at the end."""
        service.start(_BOOT_SECONDS)
        self._running.callback(service.stop)
        return service

    def web(self) -> None:
        """Starts the web processes."""
        self._web = self.run(services.web())
        self.pids[self.web_url] = self._web.process.pid

    def floor(self) -> str:
        """Starts the hand-written floor of saving under the same server; answers its address."""
        port = free_port()
        service = services.web(floor.APPLICATION, port)
        assert service.process.env is not None
        service.process.env = {**service.process.env, DATABASE_VARIABLE: self.postgres.url}
        self.run(service)
        url = f"http://127.0.0.1:{port}"
        self.pids[url] = service.process.pid
        return url

    def web_lines(self) -> str:
        """What the web processes said last, to explain a failure."""
        return self._web.process.last_words()

    @contextlib.contextmanager
    def workers(self, processes: int = PROCESSES, threads: int = 4, batch: int = 0) -> Iterator[Service]:
        """Worker processes, started and idle; `batch` 0 leaves its size to the product."""
        with override_settings(EMBEDDING_CONCURRENT_WORKERS=processes, EMBEDDING_WORKER_THREADS=threads):
            service = services.workers()
        assert service.process.env is not None
        changes = {"EMBEDDING_WORKER_THREADS": str(threads), "EMBEDDING_BATCH_SIZE": str(batch)}
        service.process.env = {**service.process.env, **changes}
        service.start(_BOOT_SECONDS)
        try:
            wait_until(lambda: self.value(_WORKERS) == processes, "workers", _BOOT_SECONDS)
            yield service
        finally:
            service.stop()
            self.database.execute("DELETE FROM embedding_worker_status")

    def value(self, query: str, *arguments: Any) -> Any:
        """The first column of the first row."""
        row = self.database.execute(query.encode(), arguments or None).fetchone()
        assert row is not None
        return row[0]

    def empty(self) -> None:
        """Removes all articles, and with them their tasks and vectors."""
        while True:  # a worker's sweep reads the same tables in another order
            with contextlib.suppress(psycopg.errors.DeadlockDetected):
                self.database.execute(f"TRUNCATE {_TABLES} CASCADE".encode())
                return

    def settle_down(self) -> None:
        """Takes upkeep that would happen some time soon out of what is measured."""
        self.database.execute(f"VACUUM ANALYZE {_BUSY_TABLES}".encode())
        with self.maintenance() as session:
            session.execute("CHECKPOINT")

    def maintenance(self) -> psycopg.Connection:
        """A session of the superuser, for what the role of the product may not do."""
        return psycopg.connect(self.postgres.maintenance_url, autocommit=True)

    def limit_database(self) -> str:
        """The address of a new, empty database for a hand-written limit on the same server."""
        with self.maintenance() as session:
            session.execute("DROP DATABASE IF EXISTS bench_limit (FORCE)")
            session.execute(f"CREATE DATABASE bench_limit OWNER {paths.DATABASE_USER}".encode())
        return paths.postgres_url(self.postgres.socket_dir, "bench_limit")

    def pause(self, seconds: float) -> None:
        """Lets the system come to rest."""
        time.sleep(seconds)

    def close(self) -> None:
        self._running.close()
        self.database.close()


class Provider(Service):
    """The fake provider as a process."""

    def __init__(self, port: int, vectors: str, **options: str) -> None:
        flags = [
            f"--{name}={value}" for name, value in {"port": str(port), "vectors": vectors, **options}.items()
        ]
        super().__init__(
            Process("provider", [sys.executable, "-m", "embeddings.servers.fake_provider", *flags])
        )
        self.url = f"http://127.0.0.1:{port}"
        self.vectors = vectors

    def ready(self) -> bool:
        try:
            self.stats()
        except OSError:
            return False
        return True

    def stats(self) -> dict[str, Any]:
        """What it has counted since it was last configured."""
        return self._ask("/stats")

    def configure(self, **settings: Any) -> None:
        """Changes its settings and clears its counters."""
        self._ask("/config", json.dumps(settings).encode())

    def _ask(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data=body), timeout=5) as reply:
            found: dict[str, Any] = json.load(reply)
            return found


@contextlib.contextmanager
def own_stack(vectors: str = "pool", folder: Path | None = None, **environment: str) -> Iterator[Stack]:
    """Servers, provider, schema and first space, below `folder` or where temporary files are; `vectors` is what the
    provider gives, `environment` more settings."""
    os.environ["ENV_FILE"] = "none"  # no file of settings decides a figure
    with contextlib.ExitStack() as closing:
        data_dir = _temporary(closing, folder)
        sockets = paths.socket_dir(data_dir)
        print_progress("starting Postgres, Valkey and the fake provider")
        postgres = PostgresServer(data_dir / "postgres", sockets)
        provider = Provider(free_port(), vectors, dimensions=str(DIMENSIONS))
        valkey = ValkeyServer(data_dir / "valkey", sockets)
        for service in (postgres, valkey, provider):
            service.start(_BOOT_SECONDS)
            closing.callback(service.stop)
        _set_environment(_settings(data_dir, provider) | environment)
        django.setup()
        call_command("migrate", verbosity=0)
        stack = Stack(data_dir, postgres, valkey, provider)
        stack.web_url = f"http://127.0.0.1:{os.environ['PORT']}"
        closing.callback(stack.close)
        yield stack


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 600.0, every: float = 0.05) -> None:
    """Looks until the condition holds; raises TimeoutError after `seconds`."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(every)


def free_port() -> int:
    """A port of loopback that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _temporary(closing: contextlib.ExitStack, folder: Path | None) -> Path:
    data_dir = Path(tempfile.mkdtemp(prefix="vectorpress-bench-", dir=folder))
    if account := accounts.account_for(data_dir):
        ownership.hand_over(data_dir, account, ())
    for folder in (data_dir, paths.socket_dir(data_dir)):
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
    return data_dir


def _settings(data_dir: Path, provider: Provider) -> dict[str, str]:
    return {
        "DATA_DIR": str(data_dir),
        "PORT": str(free_port()),
        "AUTH_TOKEN": TOKEN,
        "API_RATE_LIMIT": "0",
        "WEB_PROCESSES": str(PROCESSES),
        "EMBEDDING_PROVIDER": "openai",
        "EMBEDDING_MODEL": "fake-embed",
        "EMBEDDING_DIMENSIONS": str(DIMENSIONS),
        "OPENAI_BASE_URL": f"{provider.url}/v1",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }


def _set_environment(wanted: dict[str, str]) -> None:
    """What happens to be set in the shell must not decide a figure."""
    foreign = {"DATABASE_URL", "REDIS_URL", "DEBUG", "HOST", "LOG_LEVEL", "ALLOWED_HOSTS", "SECRET_KEY"}
    for name in list(os.environ):
        if name in foreign or name.startswith(_PREFIXES):
            del os.environ[name]
    os.environ |= wanted
