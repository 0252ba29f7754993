"""The programs of the stack, made from the settings: two servers, embedder, workers and web server."""

import os
import signal
import socket
import sys
from functools import cache
from pathlib import Path

import django
from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from config import env_source
from config.serving import connections
from config.stack import accounts, capabilities, paths
from config.stack.embedder import EmbedderService
from config.stack.http_service import HttpService
from config.stack.postgres import PostgresServer
from config.stack.processes import Account, Process, StackError
from config.stack.service import Service
from config.stack.valkey import ValkeyServer

LOOPBACK = "127.0.0.1"
SECONDS_FOR_RUNNING_TASKS = 1.5
MILLISECONDS_UNTIL_A_STOP_IS_NOTICED = 1_000
SECONDS_FOR_HEADERS = 10.0  # also how long a connection may stay open between two requests
HEADER_BYTES = 65_536  # the server looks after each read, so that up to twice as much may be taken
BACKLOG = 4_096


def servers() -> list[Service]:
    """The embedded servers, without those that DATABASE_URL or REDIS_URL replace."""
    data_dir: Path = settings.DATA_DIR
    sockets = paths.socket_dir(data_dir)
    members: list[Service] = []
    if settings.DATABASE_EMBEDDED:
        members.append(PostgresServer(data_dir / "postgres", sockets, run_as=settings.RUN_AS))
    if settings.REDIS_EMBEDDED:
        members.append(ValkeyServer(data_dir / "valkey", sockets, run_as=settings.RUN_AS))
    return members


def demand_broker() -> None:
    """Refuses to start where REDIS_URL leads nowhere."""
    try:
        with Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5) as client:
            client.ping()
    except RedisError as error:
        raise StackError(f"The server that REDIS_URL names cannot be used: {error}") from None


def embedder(*, is_needed: bool = False) -> list[Service]:
    """The local embedder, where it is the provider of the settings, or `is_needed` for another reason."""
    if settings.EMBEDDING_PROVIDER != "local" and not is_needed:
        return []
    port: int = settings.LOCAL_EMBEDDER_PORT
    # not as a command of manage.py: Django would take another 60 MB
    process = python(
        "embedder",
        *["-m", "embeddings.servers.local_embedder"],
        f"--port={port}" if port else f"--socket={settings.LOCAL_EMBEDDER_SOCKET}",
        env={"LOCAL_EMBEDDER_SECRET": settings.LOCAL_EMBEDDER_SECRET},
    )
    process.stop_signal = signal.SIGKILL  # it holds nothing, and is stopped after those who ask it
    return [HttpService(process, LOOPBACK, port) if port else EmbedderService(process, settings.DATA_DIR)]


def workers() -> Service:
    """Dramatiq's master with its processes; tasks cut off by a stop are taken up again by lease."""
    threads = str(settings.EMBEDDING_WORKER_THREADS)
    process = manage(
        "workers",
        "rundramatiq",
        f"--processes={settings.EMBEDDING_CONCURRENT_WORKERS}",
        f"--threads={threads}",
        f"--worker-shutdown-timeout={SECONDS_FOR_RUNNING_TASKS * 1000:.0f}",
        "--skip-logging",
        env={
            # A process holds no more messages than it has threads: nothing waits behind a slow provider call.
            "dramatiq_queue_prefetch": threads,
            # Idle threads wait this long for a wake-up (queueops/wakeups/blocking_broker.py), then look for a stop.
            "dramatiq_worker_timeout": f"{MILLISECONDS_UNTIL_A_STOP_IS_NOTICED}",
            # A broker that is back is noticed within a second, not three.
            "dramatiq_restart_delay": "1000",
        },
    )
    service = Service(process, grace=SECONDS_FOR_RUNNING_TASKS + 1.8)
    service.noise = ["tasks module: ", "Running dramatiq: "]
    service.serves_others = False
    return service


def web(
    application: str = "config.asgi:application",
    port: int | None = None,
    header_seconds: float = SECONDS_FOR_HEADERS,
) -> Service:
    """Granian with an ASGI application, on PORT unless another is given."""
    port = port or settings.PORT
    process = Process(
        "web",
        [
            *[sys.executable, "-m", "granian", application, "--interface=asginl", "--http=1", "--no-ws"],
            *[f"--host={settings.HOST}", f"--port={port}", f"--working-dir={settings.BASE_DIR}"],
            *[
                f"--workers={settings.WEB_PROCESSES}",
                "--loop=uvloop",
                "--task-impl=asyncio",
                "--runtime-mode=st",
            ],
            *[
                f"--http1-header-read-timeout={header_seconds * 1000:.0f}",
                f"--http1-buffer-size={HEADER_BYTES}",
            ],
            *[f"--backlog={BACKLOG}", f"--backpressure={connections.allowed()}"],
            *["--workers-kill-timeout=1", "--respawn-failed-workers", "--respawn-interval=0.5"],
            "--log-level=warning",
        ],
        env=child_environment(),
        account=account(),
    )
    process.capabilities = to_run_python() | capabilities.to_listen(port)
    service = HttpService(process, settings.HOST, port, grace=2.0)
    service.serves_others = False
    return service


def manage(name: str, command: str, *words: str, env: dict[str, str] | None = None) -> Process:
    """A `manage.py` command as a process of the stack."""
    return python(name, str(settings.BASE_DIR / "manage.py"), command, *words, env=env)


def python(name: str, *words: str, env: dict[str, str] | None = None) -> Process:
    """A program in Python as a process of the stack; it finds modules in the folder that we are in."""
    process = Process(
        name, [sys.executable, *words], env=child_environment() | (env or {}), account=account()
    )
    process.capabilities = to_run_python()
    return process


def account() -> Account | None:
    """The account of every member, where root started the stack."""
    return _account(settings.DATA_DIR, settings.RUN_AS)


@cache  # the supervisor is that account itself later, and starts members as before
def _account(data_dir: Path, run_as: str) -> Account | None:
    return accounts.account_for(data_dir, run_as)


def code() -> tuple[Path, ...]:
    """Files of the checkout, of the installed packages and of Python, which every member reads."""
    return Path(sys.executable), settings.BASE_DIR / "manage.py", Path(django.__file__), Path(os.__file__)


def to_run_python() -> int:
    """The capabilities without which the account cannot read our code or its data."""
    return capabilities.to_reach(account(), *code(), settings.DATA_DIR)


def child_environment() -> dict[str, str]:
    """Our own environment, with what a child could read differently made explicit."""
    own = account() if os.geteuid() == 0 else None
    inherited = os.environ | (accounts.environment(own, settings.DATA_DIR) if own else {})
    inherited |= env_source.for_children()
    return {name: value for name, value in inherited.items() if value or name not in accounts.OF_ITS_USER} | {
        "DATA_DIR": str(settings.DATA_DIR),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONUNBUFFERED": "1",
    }


def demand_free(host: str, port: int, setting: str) -> None:
    """Refuses a port that another program listens on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one just closed by us is free
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StackError(
                f"Port {port} on {host} cannot be used ({error.strerror}): set {setting} to a free one."
            ) from None
