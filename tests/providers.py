"""Starts providers as real processes for tests: the fault-injecting fake one and the local embedder."""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from embeddings.providers.endpoint import Endpoint
from embeddings.servers.local_embedder import server_proof
from tests.paths import ROOT

_STOP_SECONDS = 5.0
EMBEDDER_SECRET = "only-for-tests-" + "s" * 32


class ProviderProcess:
    """A module run with `python -m`; `url` is its address without a path, `http` a client to it.

    It takes a free port, or listens on the Unix socket `socket`; `secret` is what it and its clients know."""

    def __init__(self, module: str, *options: str, socket: Path | None = None, secret: str = "") -> None:
        where = ["--socket", str(socket)] if socket else ["--port", "0"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *where, *options],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | ({"LOCAL_EMBEDDER_SECRET": secret} if secret else {}),
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), f"{module} did not start: it said {line!r}"
        self.said = line.removeprefix("listening on ").strip()
        self.url = "http://localhost" if socket else self.said
        self.endpoint = Endpoint(f"{self.url}/v1", str(socket or ""), secret)
        transport = httpx.HTTPTransport(uds=str(socket)) if socket else None
        headers = {"Authorization": f"Bearer {server_proof.token(secret)}"} if secret else {}
        self.http = httpx.Client(
            base_url=self.url, timeout=20, trust_env=False, transport=transport, headers=headers
        )

    def stop(self) -> int:
        """Ends the process politely, if it still runs; its exit code."""
        self.http.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()


class FakeProvider(ProviderProcess):
    """The fault-injecting provider: `FakeProvider(dimensions=8, rate_429=0.1)`; OpenAI clients use `url + "/v1"`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__("embeddings.servers.fake_provider", *_options(settings))
        self._at_start = self._ask("GET", "/config")

    def config(self, **settings: Any) -> dict[str, Any]:
        """Changes settings and, unless reset=False is among them, clears the counters; the settings now in force."""
        return self._ask("POST", "/config", json=settings)

    def restore(self) -> None:
        """Everything as it was at the start: for one process that serves many tests."""
        self.config(**self._at_start)

    def stats(self) -> dict[str, Any]:
        """What it has counted since it started or was last configured."""
        return self._ask("GET", "/stats")

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self.http.request(method, path, **options)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found


def refusal_to_start(module: str, *options: str) -> str:
    """What a provider that cannot start says on stderr, when it ends with exit code 1."""
    ended = subprocess.run(
        [sys.executable, "-m", module, *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1, ended
    return ended.stderr


def local_embedder(*options: str, socket: Path | None = None, secret: str = "") -> ProviderProcess:
    """The local embedder with its real model, on a Unix socket, or on a port where a secret is given."""
    return ProviderProcess("embeddings.servers.local_embedder", *options, socket=socket, secret=secret)


def _options(settings: dict[str, Any]) -> list[str]:
    """Keyword settings as command line options: no_base64=True becomes --no-base64."""
    options: list[str] = []
    for name, value in settings.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            options.append(option)
        elif isinstance(value, list | tuple):
            options.append(f"{option}={','.join(map(str, value))}")
        elif value is not False and value is not None:
            options.append(f"{option}={value}")
    return options
