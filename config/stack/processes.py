"""Child processes that never outlive us: each leads its own group and is read line by line."""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple, Self

LAUNCHER = Path(__file__).with_name("launch.py")
ISOLATED_PYTHON = [sys.executable, "-I", "-S"]
REMEMBERED_LINES = 20


class StackError(Exception):
    """The stack cannot start or continue; a sentence for the person at the terminal."""


class Account(NamedTuple):
    """A user and its group, by number."""

    uid: int
    gid: int


class Process:
    """One program with everything it starts: a group that is signalled, killed and reaped as a whole.

    Start it from the main thread: Linux counts the death of the starting *thread* as the parent's death.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
        env: Mapping[str, str] | None = None,
        account: Account | None = None,
    ) -> None:
        """`stop_signal` asks it to end in good order; `account`: as whom it runs, None for ourselves.

        Of root's capabilities it keeps those in `capabilities`, a bit mask to be set before its start.
        """
        self.name = name
        self.command = [str(part) for part in command]
        self.stop_signal = stop_signal
        self.env = env
        self.account = account
        self.capabilities = 0
        self.on_line: Callable[[Process, str], None] = lambda _process, _line: None
        self.on_exit: Callable[[Process], None] = lambda _process: None
        self.last_lines: deque[str] = deque(maxlen=REMEMBERED_LINES)
        self.exited = threading.Event()
        self._asked = False
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The leader's process id, which is the group's id too; None before the first start."""
        return self._child.pid if self._child else None

    @property
    def returncode(self) -> int | None:
        """As subprocess has it: negative for a signal, None while it runs."""
        return self._child.returncode if self._child else None

    @property
    def running(self) -> bool:
        return self._child is not None and not self.exited.is_set()

    def start(self) -> Self:
        """Starts the program, again if it ran before."""
        self.exited.clear()
        self._asked = False
        self.last_lines.clear()
        self._child = subprocess.Popen(
            [*launcher(self.stop_signal, self.account, self.capabilities), *self.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.env,
            start_new_session=True,
        )
        assert self._child.stdout is not None
        reader = threading.Thread(target=self._read, args=(self._child.stdout,), daemon=True)
        reader.start()
        threading.Thread(target=self._reap, args=(self._child, reader), daemon=True).start()
        return self

    def ask_to_stop(self) -> None:
        """Sends the stop signal, once, to the leader, which is expected to stop its own children."""
        if self.running and self.pid and not self._asked:
            self._asked = True  # to many programs a second signal means: drop everything
            with suppress(ProcessLookupError):
                os.kill(self.pid, self.stop_signal)

    def kill(self) -> None:
        """Kills the whole group at once."""
        if self.running and self.pid:
            kill_group(self.pid)

    def stop(self, grace: float) -> bool:
        """Stops it within `grace` seconds, killed if need be; True when it ended in good order."""
        if not self.running:
            return True
        self.ask_to_stop()
        if self.exited.wait(grace):
            return True
        self.kill()
        self.exited.wait()
        return False

    def describe_end(self) -> str:
        """Its end in words: "exited with 1", "was ended by SIGKILL"."""
        code = self.returncode
        if code is not None and code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"exited with {code}"

    def last_words(self) -> str:
        """The last lines it wrote, to follow a sentence about its end."""
        lines = "\n  ".join(self.last_lines)
        return f"; its last lines:\n  {lines}" if lines else " and wrote nothing."

    def _read(self, output: IO[bytes]) -> None:
        with output:
            for raw in output:
                line = raw.decode(errors="replace").rstrip()
                self.last_lines.append(line)
                self.on_line(self, line)

    def _reap(self, child: subprocess.Popen[bytes], reader: threading.Thread) -> None:
        child.wait()
        kill_group(child.pid)  # what a dead leader leaves behind would hold ports, sockets and our pipe
        reader.join()
        self.exited.set()
        self.on_exit(self)


def launcher(death_signal: int, account: Account | None, capabilities: int) -> list[str]:
    """The words to put before a command so that launch.py starts it; only root can change the account."""
    user = f"{account.uid}:{account.gid}" if account and os.geteuid() == 0 else "-"
    return [
        *ISOLATED_PYTHON,
        str(LAUNCHER),
        str(os.getpid()),
        str(int(death_signal)),
        user,
        str(capabilities),
    ]


def kill_group(group: int) -> None:
    """Kills every process of the group; a missing one is not an error."""
    with suppress(ProcessLookupError, PermissionError):  # macOS refuses for a group of zombies
        os.killpg(group, signal.SIGKILL)
