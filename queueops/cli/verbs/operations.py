"""The verb that shows the operations on many tasks, and resumes or stops one."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from rich.console import RenderableType

from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.tables import fitting, line, plain
from queueops.cli.frame.verb import VerbGroup
from queueops.cli.verbs.bulk import carry_out, ended, sentences
from queueops.cli.verbs.lists import moment
from queueops.models import Operation, Verb
from queueops.monitoring.article_filter import ArticleFilter
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import operations
from queueops.operate.operations import OperationError

family = VerbGroup("Operations")

_COLOURS = {"running": "cyan", "done": "green", "cancelled": "yellow", "interrupted": "bold red"}
_HEADS = (
    "operation",
    "verb",
    "state",
    "handled",
    "changed",
    "skipped",
    "begun (UTC)",
    "by",
    "filter",
    "reason",
)


def _operations_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=["list", "resume", "stop"], default="list")
    parser.add_argument(
        "operation", nargs="?", type=UUID, metavar="OPERATION", help="the one to resume or stop"
    )
    arguments.add_limit(parser, 20)


@family.verb(
    "operations",
    "the acts on many tasks, newest first; resume one that was interrupted, or stop one",
    arguments=_operations_arguments,
    keys=("operations",),
)
def show(console: Console, *, what: str, operation: UUID | None, limit: int) -> Exit:
    if what == "list":
        found = Operation.objects.newest_first()
        rows = [each.as_dict() for each in (found.filter(pk=operation) if operation else found)[:limit]]
        console.answer({"operations": rows}, _shown(console, rows) if rows else "No operations yet.")
        return Exit.OK
    if operation is None:
        raise Refused(f"say which operation to {what}; `queue_admin operations` lists them")
    try:
        return _resume(console, operation) if what == "resume" else _stop(console, operation)
    except OperationError as error:
        raise Refused(str(error)) from error


def _resume(console: Console, operation_id: UUID) -> Exit:
    done = carry_out(console, operations.resumable(operation_id))
    console.answer({"operations": [done.as_dict()]}, *sentences(done))
    return ended(done)


def _stop(console: Console, operation_id: UUID) -> Exit:
    rows = [operations.stop(operation_id, actor=console.actor).as_dict()]
    console.answer({"operations": rows}, _shown(console, rows))
    return Exit.OK


def _shown(console: Console, rows: list[dict[str, Any]]) -> RenderableType:
    return fitting(console.rich, _HEADS, [_cells(row) for row in rows], ("handled", "changed", "skipped"))


def _cells(row: dict[str, Any]) -> list[object]:
    handled = f"{row['changed'] + row['skipped']:,} of {row['total']:,}"
    which = f"of {row['undoes']}" if row["undoes"] else str(_filter(row)) or "all"
    return [
        row["id"],
        f"{row['verb']} {row['priority']}".strip(),
        line(row["state"], _COLOURS[row["state"]]),
        handled,
        f"{row['changed']:,}",
        f"{row['skipped']:,}",
        moment(row["started_at"]),
        row["actor"],
        which,
        plain(row["reason"]),
    ]


def _filter(row: dict[str, Any]) -> TaskFilter | ArticleFilter:
    return (ArticleFilter if row["verb"] == Verb.MIGRATE else TaskFilter).from_json(row["scope"])
