"""Supervises worker processes: one that ends is restarted while the others keep working.

It imports only the standard library, so it needs little memory; `manage.py rundramatiq` executes this file by path:

    python -I -S process_supervisor.py COUNT PID_FILE LOG_FILE COMMAND [ARGUMENT …]

COMMAND gets `--kept-by PID` added, and `--after HOW` if it replaces a process that ended. SIGTERM and SIGINT stop all
gracefully, a second one kills; SIGHUP stops and restarts all with the current code.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType

# Before a process that ends soon after its start is restarted, the pause doubles each time.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
HEALTHY_SECONDS = 30.0
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
KILLED, PID_FILE_REFUSED = 3, 4  # the codes of Dramatiq's own master
_LONGEST_WAIT = 60.0


class Member:
    """A numbered worker process and its replacements."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.child: subprocess.Popen[bytes] | None = None
        self.ended_by = ""
        self.due: float | None = 0.0  # when to start it; None while it runs
        self._started = 0.0
        self._failures = 0

    def start(self, command: Sequence[str], output: int | None) -> None:
        """Raises OSError if the machine cannot start it."""
        words = [
            *command,
            f"--kept-by={os.getpid()}",
            *([f"--after={self.ended_by}"] if self.ended_by else []),
        ]
        self._started = time.monotonic()
        self.child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.due = None

    def note_end(self, how: str) -> float:
        """Plans the next start; returns the seconds until then."""
        lived = time.monotonic() - self._started
        self._failures = 1 if lived > HEALTHY_SECONDS else self._failures + 1
        pause = min(SHORTEST_PAUSE * 2.0 ** (self._failures - 1), LONGEST_PAUSE)
        self.child, self.ended_by, self.due = None, how, time.monotonic() + pause
        return pause

    def send(self, number: signal.Signals) -> None:
        """Signals the process, if there is one."""
        if self.child:
            self.child.send_signal(number)


class ProcessSupervisor:
    """Works in the main thread, which waits for the next process end, signal or due start."""

    def __init__(self, count: int, command: Sequence[str], output: int | None = None) -> None:
        self._members = [Member(number) for number in range(1, count + 1)]
        self._command = command
        self._output = output
        self._events: SimpleQueue[Member | signal.Signals] = SimpleQueue()
        self._stopped_by: signal.Signals | None = None
        self._code = 0

    def run(self) -> tuple[int, bool]:
        """Runs until a stop signal; returns the exit code, and whether to restart."""
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self._on_signal)
        while self._stopped_by is None or any(member.child for member in self._members):
            self._start_due()
            match self._next():
                case Member() as ended:
                    self._note_end(ended)
                case signal.Signals() as number:
                    self._stop(number)
        return self._code, self._stopped_by == signal.SIGHUP

    def _next(self) -> Member | signal.Signals | None:
        due = [member.due for member in self._members if member.due is not None]
        wait = _LONGEST_WAIT if self._stopped_by or not due else min(due) - time.monotonic()
        with suppress(Empty):
            return self._events.get(timeout=min(max(wait, 0.0), _LONGEST_WAIT))
        return None

    def _start_due(self) -> None:
        for member in self._members:
            if self._stopped_by or member.due is None or member.due > time.monotonic():
                continue
            try:
                member.start(self._command, self._output)
            except OSError as error:
                log(f"worker process {member.number} cannot be started ({error.strerror}); {retry(member)}")
                continue
            self._watch(member)

    def _watch(self, member: Member) -> None:
        """Waits for the process in a thread that blocks signals, so that they interrupt the main thread at once."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        threading.Thread(target=self._reap, args=[member], daemon=True).start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _reap(self, member: Member) -> None:
        if member.child:
            member.child.wait()
            self._events.put(member)

    def _note_end(self, member: Member) -> None:
        assert member.child
        code = member.child.returncode
        if self._stopped_by:
            member.child = None
            self._code = self._code or (KILLED if code < 0 else code)
            return
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        pause = member.note_end(how)
        log(f"worker process {member.number} ended ({how}); restart in {pause:g} s")

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._events.put(signal.Signals(number))

    def _stop(self, number: signal.Signals) -> None:
        """The first signal stops all gracefully; a further one kills."""
        for member in self._members:
            member.send(signal.SIGKILL if self._stopped_by else signal.SIGTERM)
        self._stopped_by = self._stopped_by or number


def retry(member: Member) -> str:
    """Plans the next start of a process that could not be started."""
    return f"retry in {member.note_end('no start'):g} s"


def log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def take_pid_file(path: Path) -> bool:
    """Writes our pid, also after a SIGHUP; returns False if a running process has written its own."""
    with suppress(FileNotFoundError):
        other = path.read_text().strip()
        if other != str(os.getpid()) and other.isdecimal() and _lives(int(other)):
            log(f"{path} names process {other}, which is running: stop it, or set another --pid-file")
            return False
    path.write_text(str(os.getpid()))
    return True


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def main(words: Sequence[str]) -> int:
    count, pid_file, log_file, *command = words
    if pid_file and not take_pid_file(Path(pid_file)):
        return PID_FILE_REFUSED
    output = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if log_file else None
    code, is_to_restart = ProcessSupervisor(int(count), command, output).run()
    if is_to_restart:
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606
    if pid_file:
        Path(pid_file).unlink(missing_ok=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
