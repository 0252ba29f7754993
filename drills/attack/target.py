"""The target: a whole stack of `manage.py runstack`, and clients of attackers and of the drill."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
from redis import Redis

from benchmarks.tools.report import print_progress
from benchmarks.tools.stack import free_port
from config.stack import paths
from config.stack.processes import Process

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
SECONDS_TO_START = 120.0
# /health must reply this soon, under any load
SECONDS_FOR_HEALTH = 1.0
_KEPT_FROM_THE_SHELL = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "RUN_AS")


class Target:
    """One stack on a folder and a port of its own. Loopback has 16 million addresses: who attacks takes another than
    who judges, so that a limit by address does not hit the judge."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.lines: list[str] = []
        self.environment = {name: os.environ[name] for name in _KEPT_FROM_THE_SHELL if name in os.environ} | {
            "ENV_FILE": "none",
            "DATA_DIR": str(data_dir),
            "PORT": str(self.port),
            "PUBLIC_RATE_LIMIT": "0",
        }
        self.process = Process(
            "stack",
            [sys.executable, str(ROOT / "manage.py"), "runstack", "--no-import"],
            env=self.environment,
        )
        self.process.on_line = lambda _, line: self.lines.append(line)

    def start(self) -> None:
        """Starts it and waits until it is well."""
        self.process.start()
        await_true(self._is_up, "the stack to answer", SECONDS_TO_START)

    def _is_up(self) -> bool:
        if self.process.exited.is_set():
            raise RuntimeError("the stack ended:\n" + "\n".join(self.lines))
        return any("Ctrl-C" in line for line in self.lines)

    # --- ways in ---------------------------------------------------------------------------------------

    @property
    def token(self) -> str:
        """The first token, which has every scope."""
        return (self.data_dir / "auth_token").read_text().strip()

    @property
    def login(self) -> tuple[str, str]:
        """Name and password of the first admin."""
        name, password = (self.data_dir / "admin_login").read_text().split()
        return name, password

    def client(self, *, token: str = "", address: str = LOOPBACK, **options: Any) -> httpx.Client:
        """A browser or program that comes from an address of loopback."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.HTTPTransport(local_address=address)
        return httpx.Client(
            base_url=self.url, transport=transport, headers=headers, timeout=30, trust_env=False, **options
        )

    def api(self, **options: Any) -> httpx.Client:
        """A program with the first token."""
        return self.client(token=self.token, **options)

    def try_password(self, client: httpx.Client, name: str, password: str) -> httpx.Response:
        """One try at the login form."""
        form = client.get("/admin/login/")
        fields = {"username": name, "password": password, "csrfmiddlewaretoken": csrf_token(form.text)}
        return client.post("/admin/login/", data=fields, headers={"Referer": self.url})

    @contextlib.contextmanager
    def signed_in(self, **options: Any) -> Iterator[httpx.Client]:
        """A browser in which the first admin has signed in."""
        with self.client(**options) as client:
            answer = self.try_password(client, *self.login)
            if answer.status_code != httpx.codes.FOUND:
                raise RuntimeError(f"the login answered {answer.status_code}")
            yield client

    def sql(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement, in the role that the web has."""
        with psycopg.connect(paths.database_url(self.data_dir), autocommit=True) as session:
            cursor = session.execute(statement.encode(), arguments or None)
            return cursor.fetchall() if cursor.description else []

    def broker(self) -> Redis:
        """The broker, for those who can write to it."""
        return Redis.from_url(paths.redis_url(self.data_dir))

    def manage(self, *words: str, seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
        """A `manage.py` command as the operator types it. Raises TimeoutExpired."""
        return subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *words],
            env=self.environment, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip

    # --- what a judge asks -----------------------------------------------------------------------------

    def save(self, title: str, content: str) -> str:
        """Saves an article; its slug."""
        with self.api() as api:
            answer = api.post("/api/articles", json={"title": title, "content": content})
            answer.raise_for_status()
            return str(answer.json()["slug"])

    def slow_health(self, times: int = 20) -> list[str]:
        """Requests /health repeatedly; returns a sentence if a reply was late or missing."""
        worst = 0.0
        with self.client() as client:
            for _ in range(times):
                began = time.monotonic()
                with contextlib.suppress(httpx.HTTPError):
                    client.get("/health", timeout=10 * SECONDS_FOR_HEALTH)
                worst = max(worst, time.monotonic() - began)
        return [f"/health took {worst:.1f} s"] if worst > SECONDS_FOR_HEALTH else []

    def processes(self) -> dict[int, str]:
        """Living processes of the stack, the supervisor too: pid → command line."""
        mark = os.fsencode(self.data_dir)
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes()
                if (
                    command
                    and int(folder.name) != os.getpid()
                    and mark in command + (folder / "environ").read_bytes()
                ):
                    found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")
        return found


@contextlib.contextmanager
def running() -> Iterator[Target]:
    """A stack to attack; nothing of it is left at the end."""
    data_dir = Path(tempfile.mkdtemp(prefix="vectorpress-attack-"))
    data_dir.chmod(0o711)
    target = Target(data_dir / "data")
    print_progress(f"starting a stack to attack on {target.url}")
    try:
        target.start()
        yield target
    finally:
        target.process.stop(15.0)
        shutil.rmtree(paths.socket_dir(target.data_dir), ignore_errors=True)
        shutil.rmtree(data_dir, ignore_errors=True)


def await_true(condition: Callable[[], object], what: str, seconds: float) -> None:
    """Looks until the condition holds. Raises TimeoutError."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(0.1)


def csrf_token(page: str) -> str:
    """The token of the first form on a page."""
    found = re.search(r'name="csrfmiddlewaretoken" value="([A-Za-z0-9]+)"', page)
    if not found:
        raise RuntimeError("the page has no form")
    return found[1]
