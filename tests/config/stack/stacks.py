"""Real stacks for tests: `manage.py runstack` as a newcomer runs it, on a data folder and ports of its own."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from config.stack import paths
from tests.config.live_processes import processes_naming
from tests.paths import ROOT
from tests.waiting import wait_until

SECONDS_TO_START = 90.0
KEPT_FROM_THE_SHELL = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "ENV_FILE")


class Stack:
    """One `runstack` and everything it started."""

    def __init__(self, data_dir: Path, port: int, **settings: str) -> None:
        self.data_dir = data_dir
        self.port = port
        self.lines: list[str] = []
        self._child = subprocess.Popen(
            [sys.executable, "manage.py", "runstack", "--no-import"],
            cwd=ROOT,
            env={name: os.environ[name] for name in KEPT_FROM_THE_SHELL if name in os.environ}
            | {
                "DATA_DIR": str(data_dir),
                "PORT": str(port),
                "WEB_PROCESSES": "1",
                "EMBEDDING_CONCURRENT_WORKERS": "1",
            }
            | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def await_line(self, part: str, seconds: float = SECONDS_TO_START, after: int = 0) -> str:
        """The first line from number `after` on that holds `part`."""

        def found() -> str | None:
            if self._child.poll() is not None and not self._reader.is_alive():
                raise AssertionError(f"the stack ended before it said {part!r}:\n{self.output}")
            return next((line for line in self.lines[after:] if part in line), None)

        line = wait_until(found, seconds, f"{part!r} in:\n{self.output}")
        assert line
        return line

    def processes(self) -> dict[int, str]:
        """Everything that lives of it, the supervisor too: pid → command line."""
        return processes_naming(self.data_dir, paths.socket_dir(self.data_dir))

    def pids(self, part: str) -> set[int]:
        """Its processes with this in their command line."""
        return {pid for pid, command in self.processes().items() if part in command}

    def signal(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def await_end(self) -> tuple[int, float]:
        """Exit code, and how many seconds it took from now."""
        since = time.monotonic()
        code = self._child.wait(SECONDS_TO_START)
        took = time.monotonic() - since
        self._reader.join()
        if not self.processes():  # servers of a killed one, or of another on the same data, still need them
            shutil.rmtree(paths.socket_dir(self.data_dir), ignore_errors=True)
        return code, took

    def end(self) -> None:
        """Leaves nothing behind, whatever the test did."""
        if self._child.poll() is None:
            self.signal(signal.SIGTERM)
        self.await_end()

    def _read(self) -> None:
        assert self._child.stdout
        with self._child.stdout as output:
            for line in output:
                self.lines.append(line.rstrip("\n"))
