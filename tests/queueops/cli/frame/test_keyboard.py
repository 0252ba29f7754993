"""Key presses of a terminal, and commands that end in order when they are told to."""

import os
import pty
import signal
import sys
import termios
from collections.abc import Iterator

import pytest

from queueops.cli.frame import keyboard


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of a terminal at which a person types."""
    person, program = pty.openpty()
    with os.fdopen(program, "r+b", buffering=0) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield person
    os.close(person)


def test_a_key_is_read_at_once_in_lower_case(terminal: int) -> None:
    with keyboard.keys() as wait:
        os.write(terminal, b"P")
        assert wait(5) == "p"
        assert wait(0) == ""


def test_a_key_that_is_not_text_counts_as_quit(terminal: int) -> None:
    with keyboard.keys() as wait:
        os.write(terminal, b"\xff")
        assert wait(5) == keyboard.QUIT


def test_the_terminal_is_as_before_however_it_ends(terminal: int) -> None:
    before = termios.tcgetattr(sys.stdin.fileno())
    with pytest.raises(KeyboardInterrupt), keyboard.keys():
        assert termios.tcgetattr(sys.stdin.fileno())[3] & termios.ICANON == 0
        raise KeyboardInterrupt
    assert termios.tcgetattr(sys.stdin.fileno()) == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_unwinds_the_command_and_gives_the_shells_code(number: signal.Signals, code: int) -> None:
    cleared_up = []
    with pytest.raises(SystemExit) as ended, keyboard.ending_in_order():
        try:
            signal.raise_signal(number)
        finally:
            cleared_up.append(True)
    assert (ended.value.code, cleared_up) == (code, [True])


def test_signal_handlers_are_restored_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)
    with keyboard.ending_in_order():
        assert signal.getsignal(signal.SIGTERM) is not before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)) == before
