"""When a supervisor is gone, its pipe closes, and what it held is ended."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.stack import kill_switch
from config.stack.kill_switch import KillSwitch, OtherEnd
from tests.config.live_processes import lives
from tests.waiting import wait_until

pytestmark = pytest.mark.process


@pytest.fixture
def switch() -> Iterator[KillSwitch]:
    with tempfile.TemporaryFile() as lock:
        made = KillSwitch(lock.fileno())
        yield made
        made.release()


@pytest.fixture
def member() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "600"], start_new_session=True) as started:
        yield started
        started.kill()


def other_end(*, keep: int, line: bytes) -> subprocess.Popen[bytes]:
    """As the supervisor starts it, with one line said."""
    command = [sys.executable, "-I", "-S", str(Path(kill_switch.__file__))]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[keep])
    assert started.stdin
    started.stdin.write(line)
    return started


def test_a_supervisor_that_says_goodbye_ends_nobody(member: subprocess.Popen[bytes]) -> None:
    with tempfile.TemporaryFile() as lock:
        switch = KillSwitch(lock.fileno())
        switch.hold([(member.pid, signal.SIGTERM)])
        switch.release()
    assert member.poll() is None


def test_a_pipe_that_closes_without_goodbye_ends_what_was_said_last(member: subprocess.Popen[bytes]) -> None:
    with tempfile.TemporaryFile() as lock:
        end = other_end(keep=lock.fileno(), line=b"999999999:15\n%d:2\n" % member.pid)
        assert end.stdin
        end.stdin.close()
        assert member.wait(10) == -signal.SIGINT
        assert end.wait(10) == 0


def test_a_released_member_is_not_ended(member: subprocess.Popen[bytes]) -> None:
    with tempfile.TemporaryFile() as lock, other_end(keep=lock.fileno(), line=b"%d:15\n\n" % member.pid):
        pass
    assert member.poll() is None


def test_the_other_end_is_started_again_where_somebody_killed_it(
    switch: KillSwitch, member: subprocess.Popen[bytes]
) -> None:
    first = switch.pid
    os.kill(first, signal.SIGKILL)
    switch._process.wait()  # only then is its end of the pipe closed
    switch.hold([(member.pid, signal.SIGTERM)])
    assert switch.pid != first
    assert kill_switch.lives(switch.pid)


def test_a_program_that_comes_in_place_of_the_supervisor_holds_the_same_other_end(
    member: subprocess.Popen[bytes],
) -> None:
    with tempfile.TemporaryFile() as lock:
        before = KillSwitch(lock.fileno())
        kept, pipe = before.open_files
        after = KillSwitch(kept, other_end=OtherEnd(before.pid, os.dup(pipe)))
        after.hold([(member.pid, signal.SIGTERM)])
        before._process.stdin.close()  # type: ignore[union-attr]  # as execv does
        assert after.pid == before.pid
        assert kill_switch.lives(after.pid)
        after.release()
        before._process.wait()
    assert not lives(after.pid)
    assert member.poll() is None


def test_the_lock_is_kept_until_the_other_end_is_gone(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    made = KillSwitch(descriptor)
    os.close(descriptor)
    links = Path(f"/proc/{made.pid}/fd")
    wait_until(
        lambda: str(tmp_path / "lock") in {str(link.readlink()) for link in links.iterdir()}, what="the lock"
    )
    made.release()
    assert not lives(made.pid)


def test_a_process_lives_until_it_is_gone(member: subprocess.Popen[bytes]) -> None:
    assert kill_switch.lives(member.pid)
    member.kill()
    member.wait()
    assert not kill_switch.lives(member.pid)
