"""Management commands in a process and a database of their own: started once, told what to do line by line.

    with Obeying(url, provider_url) as shell:
        answer = shell.do("migrate", "queueops", "zero")

What the process does is in command_shell_process.py.
"""

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests import command_shell_process
from tests.paths import ROOT

_PROGRAM = "from tests import command_shell_process; command_shell_process.main()"


@dataclass(frozen=True)
class Answer:
    """`code` as a shell would see it; `error` is the sentence."""

    code: int
    out: str
    error: str

    @property
    def json(self) -> Any:
        """The object of the last line."""
        return json.loads(self.out.splitlines()[-1])


class Obeying:
    """The process; its settings are those of this one, with the database at `url`."""

    def __init__(self, url: str, data_dir: Path, provider_url: str) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", _PROGRAM],
            cwd=ROOT,
            env=os.environ
            | {
                "DATABASE_URL": url,
                "DATA_DIR": str(data_dir),
                "OPENAI_BASE_URL": f"{provider_url}/v1",
                "ALLOWED_HOSTS": "testserver",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, *words: str) -> Answer:
        """Runs a command to its end."""
        return Answer(**self.tell(list(words)))

    def tell(self, order: Any) -> Any:
        """Says something and waits for the answer to it."""
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.write(json.dumps(order) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        assert line, f"the process ended over {order!r}"
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.close()
        self._child.wait(20)
        self._child.stdout.close()


class Saving:
    """Articles saved over and over through another process, in a thread of ours; `told` has each save's answer:
    HTTP status, and how the embedding stands."""

    def __init__(self, process: Obeying) -> None:
        self.told: list[tuple[int, str]] = []
        self._process = process
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            status, state = self._process.tell(command_shell_process.SAVE)
            self.told.append((status, state))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
