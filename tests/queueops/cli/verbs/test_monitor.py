"""The live screen: what it shows, its keys, and the terminal it leaves behind."""

import io
import os
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import IO, Any

import pytest
from django.db import OperationalError, connection
from rich.console import Console

from embeddings.models import Space
from queueops.cli.verbs.monitor import ScreenData, rendered, summary
from queueops.models import AuditLog, ProviderState, QueueState, Status
from queueops.monitoring import snapshot, statistics, task_lists
from tests.queueops.cli_runner import Called, Terminal, queue_admin
from tests.queueops.factories import make_space, make_tasks, make_worker
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db
BACK = "\x1b[?1049l"  # from the alternate screen


@pytest.fixture(autouse=True)
def space() -> Space:
    make_worker(name="host:1")
    return make_space()


class Keyboard:
    """A terminal whose keys the test presses."""

    def __init__(self, keys: int, screen: IO[str]) -> None:
        self._keys = keys
        self.screen = screen

    def press(self, keys: str) -> None:
        os.write(self._keys, keys.encode())

    def settings(self) -> list[Any]:
        return termios.tcgetattr(self.screen)


@pytest.fixture
def keyboard() -> Iterator[Keyboard]:
    keys, screen = os.openpty()
    with open(screen, encoding="ascii") as reading:  # noqa: PTH123  it has no path
        yield Keyboard(keys, reading)
    os.close(keys)


def watch(keyboard: Keyboard, act: Callable[[], object], *words: str, term: str = "xterm") -> Called:
    """Runs the monitor; once it shows something, `act` acts."""
    out = Terminal()

    def act_on_screen() -> None:
        wait_until(lambda: "pending 0" in out.getvalue() or "quit" in out.getvalue(), 20)
        act()

    actor = threading.Thread(target=act_on_screen)
    with pytest.MonkeyPatch.context() as person:
        person.setenv("TERM", term)
        person.setattr(sys, "stdin", keyboard.screen)
        person.setattr(sys, "stderr", Terminal())
        actor.start()
        called = queue_admin("monitor", "--interval=10", *words, out=out)
        actor.join()
    return Called(called.code, out.getvalue(), called.sentence)


def shown(look: ScreenData) -> str:
    console = Console(width=120, file=io.StringIO())
    with console.capture() as captured:
        console.print(rendered(look))
    return captured.get()


def test_the_screen_shows_depth_workers_errors_and_providers(space: Space) -> None:
    make_tasks(3, space)
    make_tasks(2, space, Status.FAILED, error_class="too_long", error_message="\x1b[2Jtoo long")
    make_worker(name="host:2", is_running=False)
    ProviderState.objects.create(name="openai", breaker="open", last_error="h answered 503")
    said = shown(ScreenData(snapshot.take(), statistics.workers(8), task_lists.failure_kinds()))
    assert "Pending           3" in said
    assert "host:1" in said
    assert "stopped" in said
    assert "openai: open" in said
    assert "too_long" in said
    assert "\x1b[2J" not in said
    assert "p pause   q quit" in said


def test_without_a_terminal_it_prints_a_line_each_interval(space: Space) -> None:
    make_tasks(3, space)
    lines = queue_admin("monitor", "--count=1").out.splitlines()
    assert len(lines) == 1
    assert "pending 3  processing 0  failed 0" in lines[0]
    assert queue_admin("monitor", "--count=1", "--json").json["tasks"]["pending"] == 3


@pytest.mark.parametrize("stops", [{"paused": True}, {"workers_alive": 0}])
def test_while_nothing_is_claimed_no_time_is_estimated(space: Space, stops: dict[str, Any]) -> None:
    make_tasks(3, space)
    make_tasks(30, space, Status.COMPLETED)
    now = snapshot.take()
    assert (now.eta is None, "left -" in summary(now)) == (False, False)
    assert "left -" in summary(replace(now, **stops))


def test_a_terminal_that_cannot_move_its_cursor_gets_lines_too(keyboard: Keyboard) -> None:
    called = watch(keyboard, lambda: None, "--count=1", term="dumb")
    assert called.code == 0
    assert "pending 0" in called.out
    assert "\x1b[?" not in called.out


def test_keys_pause_resume_and_quit(keyboard: Keyboard) -> None:
    before = keyboard.settings()
    called = watch(keyboard, lambda: keyboard.press("ppxpq"), "--actor=ada", "--count=9")
    assert called.code == 0
    assert [row.message for row in AuditLog.objects.order_by("id")] == [
        "queue paused", "queue resumed", "queue paused",
    ]  # fmt: skip
    assert (QueueState.objects.get().changed_by, QueueState.objects.get().reason) == (
        "ada",
        "from the monitor",
    )
    assert called.out.endswith(BACK)
    assert keyboard.settings() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_kill_leaves_the_terminal_as_it_was(keyboard: Keyboard, number: signal.Signals, code: int) -> None:
    before, handler = keyboard.settings(), signal.getsignal(number)
    called = watch(keyboard, lambda: os.kill(os.getpid(), number), "--count=3")
    assert called.code == code
    assert called.out.endswith(BACK)
    assert keyboard.settings() == before
    assert signal.getsignal(number) == handler


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_away_the_screen_says_so(keyboard: Keyboard) -> None:
    def away(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if '"queue_state"' in sql:  # the first question of a look
            raise OperationalError("tried:\n- host one refuses\n- host two refuses")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(away):
        called = watch(keyboard, lambda: keyboard.press("q"), "--count=3")
    assert "The database does not answer: host two refuses" in called.out
