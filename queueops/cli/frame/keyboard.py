"""Single key presses from the terminal, which is restored however the command ends."""

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# The key that quits; a closed terminal counts as this key.
QUIT = "q"


@contextmanager
def keys() -> Iterator[Callable[[float], str]]:
    """Yields a function that waits the given seconds for a key and returns it, empty if there was none."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)

    def wait(seconds: float) -> str:
        if not select.select([fd], [], [], seconds)[0]:
            return ""
        return os.read(fd, 1).decode(errors="ignore").lower() or QUIT

    try:
        tty.setcbreak(fd)  # Ctrl-C still interrupts
        yield wait
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Inside the block, SIGTERM and SIGHUP unwind the command, so that it can clean up."""
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)  # as shells do
