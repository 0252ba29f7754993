"""The verb `monitor`: a live screen on a terminal, one line per interval elsewhere."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from lib.durations import age
from queueops.base import database_away
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.keyboard import QUIT, ending_in_order, keys
from queueops.cli.frame.tables import facts, line, table
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.cli.verbs import health as health_verb
from queueops.cli.verbs.pause_and_mode import provider_line
from queueops.cli.verbs.status import count, number, verdict
from queueops.models import Status
from queueops.monitoring import health, snapshot, statistics, task_lists
from queueops.monitoring.snapshot import Snapshot
from queueops.monitoring.statistics import WorkerView
from queueops.monitoring.task_lists import FailureKind
from queueops.operate import controls

family = VerbGroup("Monitor", is_brief=True)

PAUSE = "p"
_REASON = "from the monitor"
_MOST_WORKERS = 8


@dataclass(frozen=True)
class ScreenData:
    """The data of one screen."""

    now: Snapshot
    workers: list[WorkerView]
    failures: list[FailureKind]


def _arguments(parser: Options) -> None:
    parser.add_argument(
        "--interval",
        type=arguments.whole(1, 3_600),
        default=2,
        metavar="SECONDS",
        help="between updates (default: 2)",
    )
    parser.add_argument(
        "--count",
        type=arguments.whole(1, 10**9),
        metavar="N",
        help="exit after N updates (default: never)",
    )


@family.verb(
    "monitor",
    "watch depth, rate, workers and errors; p pauses, q quits",
    arguments=_arguments,
    keys=health_verb.KEYS,
)
def monitor(console: Console, *, interval: int, count: int | None) -> None:
    with ending_in_order():
        if console.is_terminal and console.can_ask and not (console.as_json or console.rich.is_dumb_terminal):
            _on_screen(console, interval, count)
        else:
            _by_lines(console, interval, count)


def _by_lines(console: Console, interval: int, count: int | None) -> None:
    for place in _places(count):
        if place:
            time.sleep(interval)
        now = snapshot.take()
        judged = health.judge(now)
        console.print_result(
            health_verb.fields(now, judged),
            line(f"{time.strftime('%H:%M:%S')}  {summary(now)}  {judged.condition}"),
        )
        console.stdout.flush()


def _on_screen(console: Console, interval: int, count: int | None) -> None:
    with keys() as wait, Live(console=console.rich, screen=True, auto_refresh=False) as live:
        for _ in _places(count):
            live.update(_screen(), refresh=True)
            match wait(interval):
                case key if key == QUIT:
                    return
                case key if key == PAUSE:
                    _toggle(console.actor)


def _places(count: int | None) -> Iterator[int]:
    place = 0
    while count is None or place < count:
        yield place
        place += 1


def _toggle(actor: str) -> None:
    if snapshot.take().paused:
        controls.resume(actor=actor, reason=_REASON)
    else:
        controls.pause(actor=actor, reason=_REASON)


def _screen() -> RenderableType:
    """The screen; a line about the database while it is away."""
    try:
        now = snapshot.take_despite_locks()
        return rendered(ScreenData(now, statistics.workers(_MOST_WORKERS), task_lists.failure_kinds()))
    except (DatabaseError, InterfaceError) as error:
        connection.close()
        return Group(
            line(f"The database does not answer: {database_away.reason(error)}", "bold red"), _keys()
        )


def summary(now: Snapshot) -> str:
    """The queue on one line."""
    return (
        f"pending {number(now, Status.PENDING)}  processing {number(now, Status.PROCESSING)}  "
        f"failed {number(now, Status.FAILED)}  {now.per_second:,.1f} per second  left {_left(now)}  "
        f"workers: {health.workers_in_words(now)}"
    )


def _left(now: Snapshot) -> str:
    """The time until the queue is drained at its current rate; "-" while nothing is claimed."""
    is_none_there = not now.workers_alive and health.workers(now)[0] == "stopped"
    if now.paused or is_none_there or now.eta is None:
        return "-"
    return age(now.eta)


def rendered(data: ScreenData) -> RenderableType:
    """The screen, from its data."""
    now = data.now
    head = f"Vectorpress queue   {time.strftime('%H:%M:%S')}   {now.mode}{', paused' if now.paused else ''}"
    return Group(  # the most important first: a low terminal cuts off the end
        line(head, "bold"),
        _keys(is_paused=now.paused),
        "",
        facts(_depths(now)),
        "",
        *verdict(health.judge(now)),
        "",
        line("Providers", "bold"),
        *(line(f"  {provider_line(view)}") for view in now.providers),
        "",
        *_workers(data.workers),
        "",
        *_failures(data.failures),
    )


def _depths(now: Snapshot) -> list[tuple[str, Any]]:
    return [
        *((each.label, count(now, each)) for each in Status),
        ("Oldest due for", "-" if now.oldest_due_age is None else age(now.oldest_due_age)),
        ("Tasks per second", f"{now.per_second:,.1f}"),
        ("Time left", _left(now)),
        ("Coverage", f"{now.embedded:,} of {now.articles:,} articles"),
    ]


def _workers(workers: list[WorkerView]) -> list[RenderableType]:
    if not workers:
        return [line("No worker is registered.", "yellow")]
    heads = ("worker", "seen", "claimed", "done", "failed", "state")
    return [table(heads, [_worker(worker) for worker in workers], heads[1:5])]


def _worker(worker: WorkerView) -> list[object]:
    state = line("running") if worker.is_running else line("stopped", "yellow")
    claimed = "never" if worker.claimed_ago is None else f"{age(worker.claimed_ago)} ago"
    seen = f"{age(worker.seen_ago)} ago"
    return [worker.name, seen, claimed, f"{worker.tasks_done:,}", f"{worker.tasks_failed:,}", state]


def _failures(kinds: list[FailureKind]) -> list[RenderableType]:
    if not kinds:
        return [line("No task has failed.", "green")]
    rows = [[kind.error_class, f"{kind.tasks:,}", f"{kind.open:,}", kind.message] for kind in kinds]
    return [table(("error", "tasks", "open", "message"), rows, ("tasks", "open"))]


def _keys(*, is_paused: bool = False) -> Text:
    return line(f"{PAUSE} {'resume' if is_paused else 'pause'}   {QUIT} quit", "dim")
