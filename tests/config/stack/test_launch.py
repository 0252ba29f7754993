"""A program is started with few rights, and dies with the process that started it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from config.stack.launch import demand
from config.stack.processes import ISOLATED_PYTHON, LAUNCHER, launcher

pytestmark = pytest.mark.process


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
NOBODY = 999_999_999  # no process has this number


def launched(
    *command: str, parent: int | None = None, death_signal: int = 0
) -> subprocess.CompletedProcess[str]:
    words = [str(parent or os.getpid()), str(death_signal), "-", "0", *command]
    return subprocess.run(
        [*ISOLATED_PYTHON, str(LAUNCHER), *words], capture_output=True, text=True, timeout=20, check=False
    )


def test_the_program_gets_its_words_and_its_end_is_ours() -> None:
    done = launched("/bin/sh", "-c", 'echo "$1"; exit 7', "sh", "a 'word'")
    assert (done.stdout, done.returncode) == ("a 'word'\n", 7)


def test_created_files_are_private() -> None:
    assert launched("/bin/sh", "-c", "umask").stdout.strip().lstrip("0") == "77"


@LINUX
def test_it_can_gain_no_rights() -> None:
    status = launched("/bin/cat", "/proc/self/status").stdout
    assert "NoNewPrivs:\t1" in status


@LINUX
@pytest.mark.parametrize(("death_signal", "wanted"), [(0, 0), (signal.SIGTERM, signal.SIGTERM)])
def test_it_is_asked_to_die_with_its_parent_where_that_is_wanted(death_signal: int, wanted: int) -> None:
    ask = "import ctypes; n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n), 0, 0, 0); print(n.value)"
    assert launched(sys.executable, "-c", ask, death_signal=death_signal).stdout == f"{int(wanted)}\n"


@LINUX
def test_it_does_not_outlive_a_parent_that_died_before_it_began() -> None:
    done = launched("/bin/echo", "alive", parent=NOBODY, death_signal=signal.SIGKILL)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")


def test_an_account_is_only_root_s_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    account = type("A", (), {"uid": 4_711, "gid": 4_711})()
    words = launcher(signal.SIGTERM, account, 4)
    assert words[-4:] == [str(os.getpid()), str(int(signal.SIGTERM)), "-", "4"]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert launcher(signal.SIGTERM, account, 4)[-2:] == ["4711:4711", "4"]
    assert Path(words[-5]) == LAUNCHER


def test_a_refusal_of_the_kernel_is_an_error_of_the_system() -> None:
    demand(0)
    with pytest.raises(OSError):
        demand(-1)
