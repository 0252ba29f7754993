"""Verbs that list tasks: those that ended last, failed ones, and any status page by page."""

from argparse import ArgumentTypeError
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Refused
from queueops.cli.frame.tables import Rows, line, plain, table
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.models import Priority, Status
from queueops.monitoring import task_lists
from queueops.monitoring.task_filter import SelectionError, TaskFilter, refuse_unknown_words
from queueops.monitoring.task_lists import FailureKind, Page, TaskRow

family = VerbGroup("Lists", is_brief=True)

COLOURS = {
    Status.PROCESSING.value: "cyan",
    Status.COMPLETED.value: "green",
    Status.FAILED.value: "red",
    Status.CANCELLED.value: "yellow",
}
_ERROR_CHARACTERS = 100


def _recent_arguments(parser: Options) -> None:
    arguments.add_limit(parser, 20)


@family.verb("recent", "tasks that ended last, newest first", arguments=_recent_arguments, keys=("tasks",))
def recent(console: Console, *, limit: int) -> None:
    rows = task_lists.recent(limit)
    console.print_result({"tasks": rows}, tasks_table(rows) if rows else "No task has ended yet.")


def _add_paging(parser: Options, default: int) -> None:
    parser.add_argument(
        "--after",
        type=task_id,
        metavar="ID",
        help="task id to continue after, as printed by the previous page",
    )
    arguments.add_limit(parser, default)


def _failed_arguments(parser: Options) -> None:
    parser.add_argument("--details", action="store_true", help="print each task with its full message")
    parser.add_argument("--error", default="", metavar="CLASS", help="only this error class")
    parser.add_argument(
        "--open",
        dest="only_open",
        action="store_true",
        help="only if the article's current text has no vectors",
    )
    _add_paging(parser, 20)


@family.verb(
    "failed",
    "error classes of failed tasks, and the newest failures",
    arguments=_failed_arguments,
    keys=("kinds", "tasks", "next"),
)
def failed(
    console: Console, *, details: bool, error: str, only_open: bool, after: int | None, limit: int
) -> None:
    page = _page(Status.FAILED, after=after, limit=limit, error_class=error, only_open=only_open)
    kinds = task_lists.failure_kinds()
    console.print_result({"kinds": kinds, **vars(page)})
    if not page.tasks:
        console.show(_no_failures(is_first=after is None and not error, only_open=only_open, kinds=kinds))
        return
    rows = [[kind.error_class, kind.tasks, kind.open, kind.newest, _cut(kind.message)] for kind in kinds]
    heads = ["error", "tasks", "open", "newest task", "message"]
    console.show(table(heads, rows, heads[1:4]), "")
    if details:
        for row in page.tasks:
            console.show(*_details(row))
    else:
        console.show(tasks_table(page.tasks))
    console.show(*_more(page))


def _no_failures(*, is_first: bool, only_open: bool, kinds: list[FailureKind]) -> str:
    if only_open and is_first and kinds:
        return (
            "No failure is open: the current texts of all articles with failed tasks are embedded or queued."
        )
    return "No task has failed." if is_first and not kinds else "No more failed tasks."


def _list_arguments(parser: Options) -> None:
    parser.add_argument(
        "status", choices=[str(status) for status in Status], metavar="STATUS", help="one of %(choices)s"
    )
    parser.add_argument("--priority", choices=[str(each) for each in Priority], help="only this priority")
    parser.add_argument("--error", default="", metavar="CLASS", help="only this error class")
    _add_paging(parser, 50)


@family.verb("list", "tasks with a status, newest first", arguments=_list_arguments, keys=("tasks", "next"))
def tasks(
    console: Console, *, status: str, priority: str | None, error: str, after: int | None, limit: int
) -> None:
    page = _page(
        Status(status),
        after=after,
        limit=limit,
        error_class=error,
        priority=Priority(priority) if priority else None,
    )
    console.print_result(
        vars(page), tasks_table(page.tasks) if page.tasks else f"No {status} tasks.", *_more(page)
    )


def _page(status: Status, *, error_class: str, **which: Any) -> Page:
    """A page of tasks. Raises Refused for an unknown error class."""
    try:
        refuse_unknown_words(TaskFilter(error_class=error_class))
    except SelectionError as error:
        raise Refused(str(error)) from error
    return task_lists.page(status, error_class=error_class, **which)


def task_id(text: str) -> int:
    """The type of an option that is the id of a task or a space."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 2**63:
        raise ArgumentTypeError(f"invalid id {text!r}: use a whole number above 0")
    return int(text)


def tasks_table(rows: Sequence[TaskRow]) -> Rows:
    """Tasks, one per line."""
    heads = ("id", "status", "since (UTC)", "seconds", "attempts", "priority", "article", "error or outcome")
    return table(heads, map(_cells, rows), ("id", "seconds"))


def _cells(row: TaskRow) -> list[object]:
    error = f"{row.error_class} {row.error_message}".strip()
    return [
        row.id,
        line("failed, not open", "dim")
        if row.is_open is False
        else line(row.status, COLOURS.get(row.status, "")),
        moment(row.since),
        "" if row.seconds is None else f"{row.seconds:.2f}",
        f"{row.attempts} of {row.max_attempts}",
        row.priority,
        row.slug,
        _cut(error or row.outcome),
    ]


def _details(row: TaskRow) -> list[Text]:
    error = f"{row.error_class}: {row.error_message}".strip(": ")
    return [
        line(f"task {row.id}  {row.slug}", "bold"),
        line(
            f"  {row.attempts} of {row.max_attempts} attempts; {row.reason or 'unknown reason'}; {row.space}"
        ),
        line(f"  failed {moment(row.completed_at)}  {error or 'no message'}"),
    ]


def moment(time: datetime | None) -> str:
    """A time to the second, as lists print it; empty for None."""
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else ""


def _more(page: Page) -> list[Text]:
    return [line(f"More: --after {page.next}", "dim")] if page.next else []


def _cut(message: str) -> str:
    text = plain(message)
    return text if len(text) <= _ERROR_CHARACTERS else text[: _ERROR_CHARACTERS - 1] + "…"
