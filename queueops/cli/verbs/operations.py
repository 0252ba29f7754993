"""The verb that lists operations on many tasks, and resumes or stops one."""

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
from queueops.models import AuditLog, Operation, Verb
from queueops.models.audit import tidy_reason
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
    "started (UTC)",
    "by",
    "filter",
    "reason",
)


def _operations_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        choices=["list", "resume", "stop"],
        default="list",
        help="list them (default), resume one or stop one",
    )
    parser.add_argument(
        "operation", nargs="?", type=UUID, metavar="OPERATION", help="operation to list, resume or stop"
    )
    arguments.add_limit(parser, 20)
    arguments.add_change(parser)


@family.verb(
    "operations",
    "operations on many tasks, newest first; resume an interrupted one, or stop one",
    arguments=_operations_arguments,
    keys=("dry_run", "operations"),
)
def show(
    console: Console,
    *,
    what: str,
    operation: UUID | None,
    limit: int,
    reason: str,
    yes: bool,
    dry_run: bool,
) -> Exit:
    if what == "list":
        found = Operation.objects.newest_first()
        rows = [each.as_dict() for each in (found.filter(pk=operation) if operation else found)[:limit]]
        fields = {"dry_run": dry_run, "operations": rows}
        console.answer(fields, _shown(console, rows) if rows else "No operations yet.")
        return Exit.OK
    if operation is None:
        raise Refused(f"no operation to {what} given; `queue_admin operations` lists their ids")
    try:
        running = operations.resumable(operation)
        left = running.total - running.changed - running.skipped
        if not console.agree(f"{what} operation {operation}, {left:,} left", yes=True, dry_run=dry_run):
            console.answer({"dry_run": True, "operations": [running.as_dict()]})
            return Exit.OK
        _note(console, operation, what, reason)
        return _resume(console, running) if what == "resume" else _stop(console, operation)
    except OperationError as error:
        raise Refused(str(error)) from error


def _note(console: Console, operation_id: UUID, what: str, reason: str) -> None:
    """The operation keeps the reason it began with; why it is resumed or stopped is a row of its own."""
    if reason := tidy_reason(reason):
        scope = {"verb": what, "operation": str(operation_id)}
        AuditLog.write_operation(
            f"operation {what} requested", actor=console.actor, reason=reason, scope=scope
        )


def _resume(console: Console, operation: Operation) -> Exit:
    done = carry_out(console, operation)
    console.answer({"dry_run": False, "operations": [done.as_dict()]}, *sentences(done))
    return ended(done)


def _stop(console: Console, operation_id: UUID) -> Exit:
    rows = [operations.stop(operation_id, actor=console.actor).as_dict()]
    console.answer({"dry_run": False, "operations": rows}, _shown(console, rows))
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
