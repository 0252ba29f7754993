"""The supervisor keeps members alive, and leaves nothing behind."""

import io
import os
import signal
import tempfile
from _io import StringIO
from collections.abc import Iterator

import pytest

from config.stack import supervisor as module
from config.stack.kill_switch import KillSwitch
from config.stack.processes import Process, StackError
from config.stack.service import Service
from config.stack.supervisor import STOP_SIGNALS, Supervisor
from config.stack.terminal import Report
from tests.waiting import wait_until

pytestmark = pytest.mark.process


SHELL = "/bin/sh"
FOR_EVER = "exec sleep 600"


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def supervisor(output: io.StringIO) -> Iterator[Supervisor]:
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    with tempfile.TemporaryFile() as lock:
        yield Supervisor(Report(output), KillSwitch(lock.fileno()))
    for number, handler in handlers.items():
        signal.signal(number, handler)


def member(script: str, name: str = "member") -> Service:
    return Service(Process(name, [SHELL, "-c", script]), grace=5.0)


def pause_until(supervisor: Supervisor, is_so: object, what: str) -> None:
    def look() -> bool:
        supervisor.pause(0.01)
        return bool(is_so())  # type: ignore[operator]

    wait_until(look, what=what)


def test_a_wish_to_stop_ends_everything_in_good_order(supervisor: Supervisor) -> None:
    service, helper = member(FOR_EVER), Process("helper", [SHELL, "-c", FOR_EVER])
    with supervisor:
        supervisor.launch(service)
        supervisor.begin(helper)
        supervisor.await_ready([service], 10)
        os.kill(os.getpid(), signal.SIGTERM)
        supervisor.watch()
    assert not service.process.running
    assert not helper.running
    assert service.process.describe_end() == "was ended by SIGTERM"


def test_another_error_leaves_nothing_running_either(supervisor: Supervisor) -> None:
    service = member(FOR_EVER)
    with pytest.raises(LookupError), supervisor:
        supervisor.launch(service)
        raise LookupError
    assert not service.process.running


def test_a_member_that_dies_is_started_again_and_it_is_said(
    supervisor: Supervisor, output: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHORTEST_BACKOFF", 0.01)
    service = member(FOR_EVER)
    with supervisor:
        supervisor.launch(service)
        first = service.process.pid
        assert first
        os.kill(first, signal.SIGKILL)
        pause_until(supervisor, lambda: service.process.running and service.process.pid != first, "a new one")
        os.kill(os.getpid(), signal.SIGINT)
        supervisor.watch()
    assert "member was ended by SIGKILL" in output.getvalue()


def test_a_process_that_keeps_dying_is_restarted_ever_later_and_repaired(
    supervisor: Supervisor, output: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHORTEST_BACKOFF", 0.01)
    monkeypatch.setattr(module, "LONGEST_BACKOFF", 0.03)
    mended = []

    class Mending(Service):
        def mend(self) -> bool:
            mended.append(self)
            return False

    service = Mending(Process("member", [SHELL, "-c", "exit 1"]))
    with supervisor:
        supervisor.launch(service)
        pause_until(supervisor, lambda: output.getvalue().count("restarting in") >= 4, "four restarts")
        os.kill(os.getpid(), signal.SIGINT)
        supervisor.watch()
    waits = [line.rpartition(" in ")[2] for line in output.getvalue().splitlines() if "restarting in" in line]
    assert waits[:4] == ["0.01 s", "0.02 s", "0.03 s", "0.03 s"]
    assert mended


def test_a_helper_that_ends_is_not_started_again(supervisor: Supervisor) -> None:
    with supervisor:
        helper = Process("helper", [SHELL, "-c", "exit 0"])
        supervisor.run(helper)
        pid = helper.pid
        supervisor.pause(0.05)
        assert (helper.pid, helper.running) == (pid, False)


def test_a_helper_that_fails_says_why_in_its_own_words(supervisor: Supervisor) -> None:
    with pytest.raises(StackError, match=r"helper exited with 3.*\n.*no such table"), supervisor:
        supervisor.run(Process("helper", [SHELL, "-c", "echo no such table; exit 3"]))


def test_a_member_that_cannot_start_is_an_error_unless_it_can_be_mended(supervisor: Supervisor) -> None:
    class Mending(Service):
        def mend(self) -> bool:
            self.process.command = [SHELL, "-c", FOR_EVER]
            return True

        def ready(self) -> bool:
            return self.process.command[-1] == FOR_EVER

    broken, mendable = member("exit 2"), Mending(Process("mendable", [SHELL, "-c", "exit 2"]))
    with pytest.raises(StackError, match="member exited with 2"), supervisor:
        supervisor.launch(mendable)
        supervisor.await_ready([mendable], 10)
        assert mendable.process.running
        supervisor.launch(broken)
        broken.process.exited.wait(10)
        supervisor.await_ready([broken], 10)


def test_lines_without_information_are_not_shown(supervisor: Supervisor, output: StringIO) -> None:
    service = member("echo noise of it; echo; echo news; " + FOR_EVER)
    service.noise = ["noise"]
    with supervisor:
        supervisor.launch(service)
        wait_until(lambda: "news" in output.getvalue(), what="its line")
        os.kill(os.getpid(), signal.SIGTERM)
        supervisor.watch()
    assert "noise" not in output.getvalue()


def test_a_process_that_does_not_stop_is_killed_and_named(
    supervisor: Supervisor, output: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHORTEST_GRACE", 0.05)
    monkeypatch.setattr(module, "SECONDS_TO_STOP", 0.0)
    service = member("trap '' TERM; echo deaf; while :; do sleep 1; done")
    service.serves_others = False
    with supervisor:
        supervisor.launch(service)
        wait_until(lambda: "deaf" in output.getvalue(), what="its line")
        os.kill(os.getpid(), signal.SIGTERM)
        supervisor.watch()
    assert not service.process.running
    assert "member was killed: it did not stop within" in output.getvalue()


def test_a_server_has_its_own_time_to_stop_when_the_others_took_all_of_theirs(
    supervisor: Supervisor, output: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHORTEST_GRACE", 0.05)
    monkeypatch.setattr(module, "SECONDS_TO_STOP", 0.0)
    user = member("trap '' TERM; echo deaf; while :; do sleep 1; done", "workers")
    user.serves_others = False
    server = member(
        "trap 'sleep 1; echo written; exit 0' TERM; echo up; while :; do sleep 0.01; done", "postgres"
    )
    with supervisor:
        for each in (server, user):
            supervisor.launch(each)
        wait_until(lambda: all(word in output.getvalue() for word in ("deaf", "up")), what="their lines")
        os.kill(os.getpid(), signal.SIGTERM)
        supervisor.watch()
    assert "workers was killed" in output.getvalue()
    assert "postgres was killed" not in output.getvalue()
    assert "written" in output.getvalue()
    assert server.process.returncode == 0


def test_members_that_others_need_stop_last(supervisor: Supervisor, output: StringIO) -> None:
    order = "trap 'echo {0} stops; exit 0' TERM; echo {0} is up; while :; do sleep 0.01; done"
    base, user = member(order.format("base"), "base"), member(order.format("user"), "user")
    user.serves_others = False
    with supervisor:
        for service in (base, user):
            supervisor.launch(service)
        wait_until(lambda: output.getvalue().count("is up") == 2, what="both")
        os.kill(os.getpid(), signal.SIGTERM)
        supervisor.watch()
    assert output.getvalue().index("user stops") < output.getvalue().index("base stops")


def test_a_signal_that_is_ignored_stays_so(supervisor: Supervisor) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    with supervisor:
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) == supervisor._on_signal
