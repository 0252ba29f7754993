"""Child processes that never outlive us: each leads its own group and is read line by line."""

import os
import select
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
_PIECE = 65_536


class StackError(Exception):
    """The stack cannot start or continue; a sentence for the person at the terminal."""


class Account(NamedTuple):
    """A user and its group, by number."""

    uid: int
    gid: int


class Adopted:
    """A child that another program started before it became ours: what `Process` needs of a `Popen`."""

    def __init__(self, pid: int, output: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout: IO[bytes] | None = os.fdopen(output, "rb", buffering=0)

    def wait(self) -> None:
        """Waits for its end; of one that was waited for already the code is unknown, and 1 is taken."""
        try:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:
            self.returncode = 1


type Child = subprocess.Popen[bytes] | Adopted


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
        self._child: Child | None = None
        self._rest = b""
        self._reading = threading.Lock()

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
            bufsize=0,  # what was read lies in `_rest` alone
        )
        self._rest = b""
        self._watch(self._child)
        return self

    def adopt(self, child: Adopted, rest: bytes) -> None:
        """Goes on with a child of this process that runs already, and has written the beginning of a line."""
        self._child, self._rest = child, rest
        self._watch(child)

    def stand_still(self) -> tuple[int, int, bytes] | None:
        """The child's pid, the file of its output, and the beginning of a line it has written; None if it does not run.
        From now on nothing of its output is read, so that another program can go on with it in our place."""
        self._reading.acquire()
        if not self.running or self._child is None or self._child.stdout is None:
            return None
        return self._child.pid, self._child.stdout.fileno(), self._rest

    def go_on(self) -> None:
        """Reads its output again, as no other program came in our place."""
        self._reading.release()

    def _watch(self, child: Child) -> None:
        assert child.stdout is not None
        reader = threading.Thread(target=self._read, args=(child.stdout,), daemon=True)
        # signals are for the main thread alone, which may hold them back for a moment
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        reader.start()
        threading.Thread(target=self._reap, args=(child, reader), daemon=True).start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

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
            while self._read_some(output):
                pass

    def _read_some(self, output: IO[bytes]) -> bool:
        """Passes on the lines that have come; False at the end of the output."""
        select.select([output], [], [])  # without the lock, so that a hand-over waits for no output
        with self._reading:
            piece = output.read(_PIECE)
            *lines, self._rest = (self._rest + piece).split(b"\n")
            if not piece and self._rest:
                lines.append(self._rest)
            for raw in lines:
                line = raw.decode(errors="replace").rstrip()
                self.last_lines.append(line)
                self.on_line(self, line)
        return bool(piece)

    def _reap(self, child: Child, reader: threading.Thread) -> None:
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
