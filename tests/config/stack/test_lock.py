"""One stack a data folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from config.stack.lock import DataLock
from config.stack.processes import StackError
from tests.paths import ROOT

pytestmark = pytest.mark.process
HOLDS_THE_LOCK = """
import pathlib, signal, sys
from config.stack.lock import DataLock
DataLock(pathlib.Path(sys.argv[1])).acquire("http://127.0.0.1:8000")
print("held", flush=True)
signal.pause()
"""


def holder(data_dir: Path) -> subprocess.Popen[str]:
    """A process that looks like a stack and holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS_THE_LOCK, str(data_dir), "runstack"],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_holder_is_told_who_is_first_and_what_to_do(tmp_path: Path) -> None:
    first = holder(tmp_path)
    with pytest.raises(StackError) as refusal:
        DataLock(tmp_path).acquire("http://127.0.0.1:8001")
    first.kill()
    first.communicate()
    sentence = str(refusal.value)
    assert str(tmp_path) in sentence
    assert f"process {first.pid}, http://127.0.0.1:8000" in sentence
    assert "DATA_DIR and PORT" in sentence


def test_a_killed_holder_leaves_the_lock_free(tmp_path: Path) -> None:
    first = holder(tmp_path)
    first.kill()
    first.communicate()
    lock = DataLock(tmp_path)
    lock.acquire("http://127.0.0.1:8001")
    lock.release()


def test_a_released_lock_is_free(tmp_path: Path) -> None:
    for _ in range(2):
        lock = DataLock(tmp_path)
        lock.acquire("http://127.0.0.1:8000")
        lock.release()
