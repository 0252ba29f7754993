"""Starts of `manage.py` that need not wait for Django: a process that has read the libraries, and nothing of ours,
forks one for each start, which reads settings and modules anew in the environment it is given.

    done = start("runstack", "--help", PORT="-1")
"""

import functools
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_LIBRARIES = (
    "asyncio", "django.contrib.auth.hashers", "django.contrib.postgres.fields", "django.core.management",
    "django.core.serializers.json", "django.db.backends.postgresql.base", "django.db.models", "django.forms",
    "django.template", "django.test", "django.urls", "django_stubs_ext", "dramatiq", "environ", "granian", "httpx",
    "numpy", "psycopg", "psycopg_pool", "pydantic", "redis.asyncio", "rich.live", "rich.progress", "structlog",
)  # fmt: skip
_PROGRAM = "from tests import starting; starting.serve_forks()"
_SECONDS = 60


def start(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`manage.py` with these words, run to its end in this process' environment and with these settings."""
    child = _forker()
    assert child.stdin
    assert child.stdout
    child.stdin.write(json.dumps([words, os.environ | settings]) + "\n")
    child.stdin.flush()
    code, out, error = json.loads(child.stdout.readline())
    return subprocess.CompletedProcess(["manage.py", *words], code, out, error)


@functools.cache
def _forker() -> subprocess.Popen[str]:
    """Ends with us, whose end of its pipe is closed then."""
    command = [sys.executable, "-c", _PROGRAM]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def serve_forks() -> None:
    """The other end: reads an order a line, and answers how the process that it forked for it ended."""
    for name in _LIBRARIES:
        importlib.import_module(name)
    for line in sys.stdin:
        words, environment = json.loads(line)
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
            if (pid := os.fork()) == 0:
                _become(words, environment, out.fileno(), error.fileno())
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            sys.stdout.write(json.dumps([code, _text(out), _text(error)]) + "\n")
            sys.stdout.flush()


def _become(words: list[str], environment: dict[str, str], out: int, error: int) -> None:
    """Never comes back: `manage.py` ends with an exit, which ends this process as it would another."""
    for ours, number in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (error, 2)):
        os.dup2(ours, number)
    signal.alarm(_SECONDS)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["manage.py", *words]
    runpy.run_path("manage.py", run_name="__main__")
    sys.exit("manage.py did not end")


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read())
