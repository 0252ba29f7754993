"""A member of the stack is started, waited for and mended."""

import pytest

from config.stack.processes import Process, StackError
from config.stack.service import Service

pytestmark = pytest.mark.process


SHELL = "/bin/sh"


class Scripted(Service):
    """A shell script that is ready when its process has written a line."""

    def __init__(self, script: str, mends: bool = False) -> None:
        super().__init__(Process("member", [SHELL, "-c", script]))
        self.prepared = self.mended = 0
        self._mends = mends

    def prepare(self) -> None:
        self.prepared += 1

    def mend(self) -> bool:
        self.mended += 1
        if self._mends:
            self.process.command = [SHELL, "-c", "echo mended; exec sleep 600"]
        return self._mends

    def advice(self) -> str:
        return "\nadvice"

    def ready(self) -> bool:
        return bool(self.process.last_lines)


def test_it_is_prepared_started_and_awaited() -> None:
    service = Scripted("echo up; exec sleep 600")
    service.start(10)
    assert (service.name, service.prepared, service.process.running) == ("member", 1, True)
    service.stop()
    assert not service.process.running


def test_a_process_that_ends_while_it_starts_reports_the_reason_with_advice() -> None:
    service = Scripted("exit 7")
    with pytest.raises(StackError) as failed:
        service.start(10)
    assert "exited with 7" in str(failed.value)
    assert str(failed.value).endswith("advice")
    assert (service.mended, service.prepared) == (1, 1)


def test_a_process_that_never_becomes_ready_is_stopped() -> None:
    service = Scripted("exec sleep 600")
    with pytest.raises(StackError, match="was not ready"):
        service.start(0.05)
    assert not service.process.running


def test_a_server_that_can_be_repaired_is_restarted() -> None:
    service = Scripted("exit 7", mends=True)
    service.start(10)
    assert (service.prepared, service.mended) == (2, 1)
    assert service.process.last_lines[0] == "mended"
    service.stop()


def test_between_two_looks_the_caller_may_end_the_waiting() -> None:
    service = Scripted("exec sleep 600")
    service.process.start()

    def pause(_: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        service.wait_until_ready(10, pause)
    service.stop()


def test_a_plain_member_is_ready_while_it_runs() -> None:
    service = Service(Process("member", [SHELL, "-c", "exec sleep 600"]))
    assert not service.ready()
    service.start(10)
    assert service.ready()
    assert (service.mend(), service.advice()) == (False, "")
    service.stop()
    assert not service.ready()
