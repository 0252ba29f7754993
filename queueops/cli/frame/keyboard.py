"""Single key presses from the terminal, which is put back as it was however the command ends."""

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# The key that ends; also what a terminal that went away is taken to say.
QUIT = "q"


@contextmanager
def keys() -> Iterator[Callable[[float], str]]:
    """While it is entered: a function that waits so many seconds for a key; empty when there was none."""
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
    """While it is entered, a kill or a hang-up unwinds the command, so that it can clear up behind itself."""
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)  # as a shell tells it
