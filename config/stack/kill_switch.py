"""The two ends of a pipe that ends the stack when its supervisor is killed and can do nothing any more.

The supervisor holds one end (`KillSwitch`). The other is this file run by path, as a separate process that
outlives the supervisor by some seconds: each line it reads lists the process groups that live now
("pid:signal pid:signal"), and when the pipe closes it asks the leaders to stop, then kills what is left of
their groups.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

SECONDS_TO_STOP = 4.0


class OtherEnd:
    """The other end where another program started it, before it became this one: what is needed of a `Popen`."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self.stdin = os.fdopen(pipe, "wb", buffering=0)

    def wait(self) -> None:
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


class KillSwitch:
    """The supervisor's end."""

    def __init__(
        self, keep_open: int, launcher: Callable[[], Sequence[str]] = list, other_end: OtherEnd | None = None
    ) -> None:
        """`keep_open` is a file the other end keeps open too: the lock on the data, until nothing uses it; `launcher`
        gives the words to put before the command of the other end, which is started if there is none."""
        self._keep_open = keep_open
        self._launcher = launcher
        self._process: subprocess.Popen[bytes] | OtherEnd = other_end or self._start()

    @property
    def open_files(self) -> tuple[int, int]:
        """The file to keep open, and the pipe to the other end."""
        assert self._process.stdin is not None
        return self._keep_open, self._process.stdin.fileno()

    @property
    def pid(self) -> int:
        """The process id of the other end."""
        return self._process.pid

    def hold(self, members: Iterable[tuple[int, signal.Signals]]) -> None:
        """Tells the other end which groups (leader's pid, stop signal) live now."""
        line = " ".join(f"{pid}:{int(stop_signal)}" for pid, stop_signal in members)
        try:
            self._send(line)
        except OSError:  # it was killed from outside
            self._close()
            self._process = self._start()
            self._send(line)

    def release(self) -> None:
        """Ends the other end; to be called when the stack has been stopped in good order."""
        with suppress(OSError):
            self.hold([])
        self._close()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._launcher(), sys.executable, "-I", "-S", str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[self._keep_open],
            start_new_session=True,
            bufsize=0,
        )

    def _close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")


def main() -> None:
    """The other end."""
    members: list[tuple[int, int]] = []
    for line in sys.stdin:
        members = [(int(pid), int(number)) for pid, number in (word.split(":") for word in line.split())]
    for pid, number in members:
        with suppress(OSError):
            os.kill(pid, number)
    leaders = [pid for pid, _ in members]
    deadline = time.monotonic() + SECONDS_TO_STOP
    while any(map(lives, leaders)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for leader in leaders:
        with suppress(OSError):  # its group is gone, or on macOS consists of zombies
            os.killpg(leader, signal.SIGKILL)


def lives(pid: int) -> bool:
    """Whether this process is left."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
