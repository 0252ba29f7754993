"""Ends a server that an earlier run left behind, and never a stranger that was given its process id."""

import os
import platform
import signal
import subprocess
import time
from pathlib import Path

from config.stack.processes import StackError

SECONDS_TO_END = 10.0


def end_leftover(pid_file: Path, mark: str, stop_signal: signal.Signals) -> None:
    """Ends the process named in the first line of `pid_file` if its command line holds `mark`.

    Process ids are given out anew; a path of ours in the command line proves that it is still that program.
    """
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    deadline = time.monotonic() + SECONDS_TO_END
    while mark in command_line(pid):
        try:
            os.kill(pid, stop_signal if time.monotonic() < deadline else signal.SIGKILL)
        except ProcessLookupError:
            return
        except PermissionError:
            raise StackError(
                f"Process {pid} still uses {pid_file.parent} and belongs to another user."
            ) from None
        time.sleep(0.05)


def command_line(pid: int) -> str:
    """What this process was started with; empty when there is no such process."""
    if platform.system() == "Linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    listed = subprocess.run(
        ["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    )
    return listed.stdout
