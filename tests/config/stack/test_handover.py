"""A supervisor becomes a smaller program: the same process, and nothing of its children is lost."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.stack import handover, services
from config.stack.embedder import EmbedderService
from config.stack.http_service import HttpService
from config.stack.postgres import PostgresServer
from config.stack.processes import Account, Process
from config.stack.service import Service
from config.stack.valkey import ValkeyServer
from tests.config.live_processes import lives
from tests.paths import ROOT
from tests.waiting import wait_until

COUNTS = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo n$i; done; echo end; exec sleep 600"
SUPERVISES = """
import os, signal, sys, tempfile
from config.stack import handover
from config.stack.kill_switch import KillSwitch
from config.stack.processes import Process
from config.stack.service import Service
from config.stack.supervisor import Supervisor
from config.stack.terminal import Report
report = Report()
with tempfile.TemporaryFile() as lock, Supervisor(report, KillSwitch(lock.fileno())) as supervisor:
    supervisor.launch(Service(Process("member", ["/bin/sh", "-c", sys.argv[1]]), grace=5.0))
    report.say("handing over")
    {before}
    handover.become_small(supervisor, None, 0)
    supervisor.watch()
report.say("stopped in the first program")
"""
INTERRUPTED = """
    execute = os.execv
    os.execv = lambda *words: (os.kill(os.getpid(), signal.SIGTERM), execute(*words))
"""
BEGUN = """
    while supervisor.services[0].process._rest != b"begin": supervisor.pause(0.01)
"""
REFUSED = """
    def refuse(*words): raise OSError(12, "Cannot allocate memory")
    os.execv = refuse
"""


class Running:
    """A supervisor with one member, as a process of its own."""

    def __init__(self, script: str, before: str = "") -> None:
        program = SUPERVISES.replace("{before}", before.strip())
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, script], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.output = self.process.stdout
        self.lines: list[str] = []

    def until(self, part: str) -> str:
        """The next line with this."""
        while line := self.output.readline():
            self.lines.append(line.rstrip("\n").partition("│ ")[2])
            if part in line:
                return self.lines[-1]
        raise AssertionError(f"it ended before it said {part!r}: {self.lines}")

    def command(self) -> str:
        return Path(f"/proc/{self.process.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()

    def await_other_program(self) -> None:
        wait_until(lambda: "config.stack.watch runstack" in self.command(), what="the other program")

    def stop(self) -> tuple[int, str]:
        """Exit code, and what it said last."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20), self.output.read()


@pytest.fixture
def start() -> Iterator[Any]:
    made: list[Running] = []

    def started(script: str, before: str = "") -> Running:
        made.append(Running(script, before))
        return made[-1]

    yield started
    for each in made:
        each.process.kill()
        each.output.close()
        each.process.wait()


@pytest.mark.process
def test_every_line_arrives_once_whole_and_in_order(start: Any) -> None:
    running = start(COUNTS)
    running.until("end")
    running.await_other_program()
    shown = [line for line in running.lines if line.startswith("n")]
    assert shown == [f"n{number}" for number in range(1, 2001)]
    assert running.stop()[0] == 0


@pytest.mark.process
def test_a_line_that_was_begun_for_one_program_is_shown_whole_by_the_other(
    start: Any, tmp_path: Path
) -> None:
    go_on = tmp_path / "go_on"
    running = start(
        f"printf begin; while [ ! -e {go_on} ]; do sleep 0.05; done; echo ning; exec sleep 600", BEGUN
    )
    running.await_other_program()
    go_on.touch()
    assert running.until("ning") == "beginning"


@pytest.mark.process
def test_the_other_program_starts_members_again_and_stops_all_in_good_order(start: Any) -> None:
    running = start("echo pid $$; exec sleep 600")
    first = int(running.until("pid").split()[1])
    running.await_other_program()
    os.kill(first, signal.SIGKILL)
    running.until("member was ended by SIGKILL; restarting in 0.5 s")
    second = int(running.until("pid").split()[1])
    code, said = running.stop()
    assert (code, said.split("│ ")[-1].strip()) == (0, "stopped")
    assert not lives(first)
    assert not lives(second)


@pytest.mark.process
def test_a_killed_one_leaves_nothing_running(start: Any) -> None:
    running = start("echo pid $$; exec sleep 600")
    pid = int(running.until("pid").split()[1])
    running.await_other_program()
    running.process.kill()
    wait_until(lambda: not lives(pid), what="the end of the member")


@pytest.mark.process
def test_a_signal_that_comes_between_the_two_programs_stops_the_stack(start: Any) -> None:
    running = start("echo pid $$; exec sleep 600", INTERRUPTED)
    pid = int(running.until("pid").split()[1])
    assert running.process.wait(20) == 0
    assert running.output.read().split("│ ")[-1].strip() == "stopped"
    assert not lives(pid)


@pytest.mark.process
def test_where_the_other_program_cannot_be_executed_the_first_goes_on(start: Any) -> None:
    running = start("echo ready; read line; exec sleep 600 < /dev/null", REFUSED)
    running.until("stays larger than it needs to be (Cannot allocate memory)")
    assert "config.stack.watch" not in running.command()
    code, said = running.stop()
    assert (code, said.split("│ ")[-1].strip()) == (0, "stopped in the first program")


def members(data_dir: Path) -> list[Service]:
    process = Process(
        "member", ["/bin/true"], stop_signal=signal.SIGINT, env={"A": "b"}, account=Account(7, 8)
    )
    process.capabilities = 4
    noisy = Service(process, grace=3.0)
    noisy.noise, noisy.serves_others = ["useless"], False
    return [
        noisy,
        EmbedderService(Process("embedder", ["/bin/true"]), data_dir),
        HttpService(Process("web", ["/bin/true"]), "0.0.0.0", 80),
        PostgresServer(data_dir / "postgres", data_dir / "run", {"fsync": "off"}),
        ValkeyServer(data_dir / "valkey", data_dir / "run", append_only=False),
    ]


@pytest.mark.parametrize("number", range(5))
def test_each_kind_of_member_is_the_same_afterwards(number: int, tmp_path: Path) -> None:
    before = members(tmp_path)[number]
    written = json.loads(
        json.dumps(handover._member(before), default=handover._encoded), object_hook=handover._decoded
    )
    after = handover._service(written)
    assert type(after) is type(before)
    assert without_process(after) == without_process(before)
    names = ("name", "command", "stop_signal", "env", "account", "capabilities", "last_lines")
    assert [getattr(after.process, name) for name in names] == [
        getattr(before.process, name) for name in names
    ]
    assert {type(value) for value in without_process(after).values()} == {
        type(value) for value in without_process(before).values()
    }


def without_process(service: Service) -> dict[str, Any]:
    return {name: value for name, value in vars(service).items() if name != "process"}


def test_every_kind_of_member_of_a_stack_is_known() -> None:
    made = set(re.findall(r"\b(\w*(?:Service|Server))\(", Path(services.__file__).read_text()))
    assert len(made) == 5
    assert made <= handover._KINDS.keys()
