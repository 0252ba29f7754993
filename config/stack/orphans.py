"""Ends a server that an earlier run left behind, and never another process that got its process id."""

import errno
import os
import platform
import signal
import subprocess
import time
from pathlib import Path

from config.stack.processes import StackError
from lib.regular_files import read_small

SECONDS_TO_END = 10.0
_MOST_BYTES = 65_536
_DIGITS = 11  # more than any process id has


def kept_text(path: Path) -> str:
    """A small file of the data folder, empty where there is none. Raises StackError for anything else that has its
    name, such as a link, a FIFO or an endless file."""
    try:
        return read_small(path, _MOST_BYTES, follow_links=False).decode(errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise StackError(
            f"{path} cannot be read ({reason}): a regular file was expected. Remove it."
        ) from None


def end_leftover(pid_file: Path, program: str, mark: str, stop_signal: signal.Signals) -> None:
    """Ends the process named in the first line of `pid_file` if it runs a program of this name, as the user that we act
    as, and its command line holds `mark`.

    The file's owner may write any process id into it, and ids are given out again.
    """
    first = kept_text(pid_file).split("\n", 1)[0].strip()
    if not (first.isascii() and first.isdigit() and len(first) < _DIGITS):
        return
    pid = int(first)
    deadline = time.monotonic() + SECONDS_TO_END
    while _is_ours(pid, program, mark):
        try:
            os.kill(pid, stop_signal if time.monotonic() < deadline else signal.SIGKILL)
        except ProcessLookupError:
            return
        except PermissionError:
            raise StackError(
                f"Process {pid} still uses {pid_file.parent} and belongs to another user."
            ) from None
        time.sleep(0.05)


def _is_ours(pid: int, program: str, mark: str) -> bool:
    folder, _, words = command_line(pid).partition(f"/{program} ")
    is_first_word = folder.startswith("/") and " /" not in folder  # the folder's own name may hold blanks
    return is_first_word and mark in words and user_of(pid) == os.geteuid()


def user_of(pid: int) -> int | None:
    """The user of a process; None if there is no such process."""
    if platform.system() == "Linux":
        try:
            status = Path(f"/proc/{pid}/status").read_text(errors="replace")
        except OSError:
            return None
        return next((int(line.split()[2]) for line in status.splitlines() if line.startswith("Uid:")), None)
    listed = subprocess.run(["ps", "-p", str(pid), "-o", "uid="], capture_output=True, text=True, check=False)
    return int(listed.stdout.strip() or -1)


def command_line(pid: int) -> str:
    """The arguments of a process; empty if there is no such process."""
    if platform.system() == "Linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    listed = subprocess.run(
        ["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    )
    return listed.stdout
