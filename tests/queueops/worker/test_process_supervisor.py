"""Each process is kept alive by itself; signals, exit codes and the pid file are as an operator expects."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from queueops.worker import process_supervisor
from queueops.worker.process_supervisor import Member
from tests.waiting import wait_until

pytestmark = pytest.mark.process

# Writes its pid and options, and exits with 0 on SIGTERM.
OBEDIENT = """
import os, signal, sys
open(f"{sys.argv[1]}/{os.getpid()}", "w").write(" ".join(sys.argv[2:]))
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
while True: signal.pause()
"""
STUBBORN = OBEDIENT.replace("lambda *_: os._exit(0)", "signal.SIG_IGN")


class Kept:
    """A supervisor and its output."""

    def __init__(
        self, folder: Path, script: str, count: int = 2, pid_file: str = "", log_file: str = ""
    ) -> None:
        self.folder = folder
        command = [sys.executable, "-I", "-S", "-c", script, str(folder)]
        words = [str(Path(process_supervisor.__file__)), str(count), pid_file, log_file, *command]
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", *words], stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        with self.process.stderr as output:
            self.lines += iter(output)

    def children(self, but: set[int] = frozenset()) -> set[int]:  # type: ignore[assignment]
        """The pids of the processes that have started."""
        return {int(file.name) for file in self.folder.iterdir() if file.read_text()} - but

    def await_children(self, count: int, but: set[int] = frozenset()) -> set[int]:  # type: ignore[assignment]
        wait_until(lambda: len(self.children(but)) == count, 20, f"{count} processes")
        return self.children(but)

    def end(self, *signals: signal.Signals) -> int:
        """Sends these, the second once the first has been noted; returns the exit code."""
        for number in signals:
            self.process.send_signal(number)
            wait_until(lambda: True)
        code = self.process.wait(20)
        self._reader.join(10)
        return code


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Callable[..., Kept]]:
    made = []

    def start(script: str = OBEDIENT, **options: Any) -> Kept:
        made.append(Kept(tmp_path, script, **options))
        return made[-1]

    yield start
    for kept in made:
        if kept.process.poll() is None:
            os.killpg(kept.process.pid, signal.SIGKILL)
        kept.end()


def test_a_killed_process_is_restarted_and_the_others_continue(keep: Callable[..., Kept]) -> None:
    kept = keep()
    first, second = kept.await_children(2)
    os.kill(first, signal.SIGKILL)
    (third,) = kept.await_children(1, but={first, second})
    os.kill(second, 0)
    told = (kept.folder / str(third)).read_text()
    assert told == f"--kept-by={kept.process.pid} --after=SIGKILL"
    assert kept.end(signal.SIGTERM) == 0
    assert "ended (SIGKILL); restart in 0.5 s" in kept.lines[0]


def test_a_process_that_ends_by_itself_is_restarted_with_growing_pauses(keep: Callable[..., Kept]) -> None:
    kept = keep("import os, sys; os._exit(7)", count=1)
    wait_until(lambda: len(kept.lines) == 3, 20, "three ends")
    assert kept.end(signal.SIGTERM) == 0
    assert [line.rpartition(" in ")[2] for line in kept.lines[:3]] == ["0.5 s\n", "1 s\n", "2 s\n"]
    assert "worker process 1 ended (exit code 7)" in kept.lines[0]


def test_a_pause_does_not_grow_without_end_and_is_short_again_after_a_good_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    member = Member(1)
    clock = [0.0]
    monkeypatch.setattr("queueops.worker.process_supervisor.time.monotonic", lambda: clock[0])
    assert [member.note_end("x") for _ in range(6)][-1] == 10
    clock[0] = 31.0
    assert member.note_end("x") == 0.5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_all_in_good_order(keep: Callable[..., Kept], number: signal.Signals) -> None:
    kept = keep()
    children = kept.await_children(2)
    assert kept.end(number) == 0
    assert not any(process_supervisor._lives(pid) for pid in children)


def test_a_second_signal_kills_what_does_not_stop(keep: Callable[..., Kept]) -> None:
    kept = keep(STUBBORN)
    kept.await_children(2)
    kept.process.send_signal(signal.SIGINT)
    kept.process.send_signal(signal.SIGTERM)
    assert kept.end() == process_supervisor.KILLED


def test_sighup_stops_all_and_starts_all_again_in_the_same_process(keep: Callable[..., Kept]) -> None:
    kept = keep()
    before = kept.await_children(2)
    kept.process.send_signal(signal.SIGHUP)
    kept.await_children(2, but=before)
    assert kept.process.poll() is None
    assert not any(process_supervisor._lives(pid) for pid in before)
    assert kept.end(signal.SIGTERM) == 0


def test_a_pid_file_names_the_supervisor_and_is_removed_with_it(
    keep: Callable[..., Kept], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("pid")
    kept = keep(count=1, pid_file=str(folder / "pid"), log_file=str(folder / "log"))
    kept.await_children(1)
    assert (folder / "pid").read_text() == str(kept.process.pid)
    other = keep(count=1, pid_file=str(folder / "pid"))
    assert other.end() == process_supervisor.PID_FILE_REFUSED
    assert "stop it, or set another" in other.lines[0]
    assert kept.end(signal.SIGTERM) == 0
    assert not (folder / "pid").exists()
