"""Child processes: read, stopped and killed as groups, and never left behind."""

import os
import signal
import subprocess
import sys
from textwrap import dedent

import pytest

from config.stack.processes import Process
from tests.config.live_processes import lives
from tests.paths import ROOT
from tests.waiting import wait_until

pytestmark = pytest.mark.process

SHELL = "/bin/sh"
IGNORES_SIGTERM = "trap '' TERM; echo ready; while :; do sleep 1; done"


def started(script: str) -> Process:
    process = Process("child", [SHELL, "-c", script])
    process.start()
    return process


def first_line(process: Process) -> str:
    wait_until(lambda: process.last_lines, what="its first line")
    return process.last_lines[0]


def test_output_of_a_process_arrives_line_by_line_from_both_streams() -> None:
    lines: list[tuple[str, str]] = []
    process = Process("child", [SHELL, "-c", "echo out; echo err >&2; exit 3"])
    process.on_line = lambda process, line: lines.append((process.name, line))
    process.start()
    assert process.exited.wait(10)
    assert lines == [("child", "out"), ("child", "err")]
    assert process.describe_end() == "exited with 3"
    assert "err" in process.last_words()


def test_a_process_that_stops_when_asked_ended_in_good_order() -> None:
    process = started("echo ready; exec sleep 600")
    first_line(process)
    assert process.stop(grace=10)
    assert process.describe_end() == "was ended by SIGTERM"


def test_a_process_that_ignores_the_signal_is_killed_after_its_grace() -> None:
    process = started(IGNORES_SIGTERM)
    first_line(process)
    assert not process.stop(grace=0.2)
    assert not process.running


def test_it_is_asked_to_stop_only_once() -> None:
    process = started("trap 'echo asked' TERM; echo ready; for i in 1 2 3; do sleep 0.2 & wait $!; done")
    first_line(process)
    process.ask_to_stop()
    wait_until(lambda: "asked" in process.last_lines)
    process.ask_to_stop()
    assert process.exited.wait(10)
    assert list(process.last_lines).count("asked") == 1


def test_the_rest_of_a_killed_leaders_group_is_killed_too() -> None:
    process = started("sleep 600 & echo $!; wait")
    grandchild = int(first_line(process))
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not lives(grandchild), what="the end of the grandchild")


def test_a_process_ends_with_the_one_that_started_it() -> None:
    assert_ends_with_its_starter(
        """
        child = Process("child", ["/bin/sleep", "600"]).start()
        print(child.pid, flush=True)
        """
    )


def test_a_killed_supervisors_leash_ends_leaders_and_their_children() -> None:
    assert_ends_with_its_starter(
        """
        leader = Process("leader", ["/bin/sh", "-c", "sleep 600 & echo $!; wait"])
        leader.start()
        KillSwitch(keep_open=1).hold([(leader.pid, leader.stop_signal)])
        while not leader.last_lines:
            leader.exited.wait(0.02)
        print(leader.last_lines[0], flush=True)
        """
    )


def assert_ends_with_its_starter(script: str) -> None:
    """Runs this in a Python that is killed as soon as it has printed the process id of what must end with it."""
    imports = (
        "import signal\nfrom config.stack.kill_switch import KillSwitch\n"
        "from config.stack.processes import Process\n"
    )
    program = imports + dedent(script) + "signal.pause()\n"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as starter:
        assert starter.stdout
        try:
            witness = int(starter.stdout.readline())
            wait_until(
                lambda: lives(witness), what="what it started"
            )  # in the moment of an exec it has no name
        finally:
            starter.kill()  # else leaving this block would wait for it without end
    wait_until(lambda: not lives(witness), what="the end of what it started")
