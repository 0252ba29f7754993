"""The verb that lists operations, and resumes or stops one on many tasks."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from rich.console import RenderableType

from lib.manage_command import manage
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.tables import fitting, line, plain
from queueops.cli.frame.task_options import age
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.cli.verbs.bulk import carry_out, ended, sentences
from queueops.cli.verbs.lists import moment
from queueops.models import AuditLog, Operation, Verb
from queueops.models.audit import tidy_reason
from queueops.monitoring import operation_list
from queueops.monitoring.article_filter import ArticleFilter
from queueops.monitoring.operation_list import OperationFilter
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


def _operations_arguments(parser: Options) -> None:
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
    parser.add_argument(
        "--verb", choices=operation_list.VERBS, default="", metavar="VERB", help="only this verb: %(choices)s"
    )
    parser.add_argument("--by", default="", metavar="NAME", help="only of this operator")
    parser.add_argument(
        "--newer-than", type=age, metavar="AGE", help="only operations of the last 2h, 7d or the like"
    )
    parser.add_argument(
        "--after",
        type=UUID,
        metavar="ID",
        help="operation to continue after, as printed by the previous page",
    )
    arguments.add_limit(parser, 20)
    arguments.add_change(parser)


@family.verb(
    "operations",
    "operations, newest first; resume an interrupted one on many tasks, or stop one",
    arguments=_operations_arguments,
    keys=("dry_run", "operations", "next"),
)
def show(
    console: Console,
    *,
    what: str,
    operation: UUID | None,
    verb: str,
    by: str,
    newer_than: timedelta | None,
    after: UUID | None,
    limit: int,
    reason: str,
    yes: bool,
    dry_run: bool,
) -> Exit:
    if what == "list":
        which = OperationFilter(verb=verb, actor=by, newer_than=newer_than, id=operation)
        return _list(console, which, after=after, limit=limit, dry_run=dry_run)
    if operation is None:
        raise Refused(f"no operation to {what} given; to list their ids: {manage('queue_admin operations')}")
    try:
        running = operations.resumable(operation)
        left = running.total - running.changed - running.skipped
        if not console.agree(f"{what} operation {operation}, {left:,} left", yes=True, dry_run=dry_run):
            console.print_result(_fields([running.as_dict()], dry_run=True))
            return Exit.OK
        _note(console, operation, what, reason)
        return _resume(console, running) if what == "resume" else _stop(console, operation)
    except OperationError as error:
        raise Refused(str(error)) from error


def _list(console: Console, which: OperationFilter, *, after: UUID | None, limit: int, dry_run: bool) -> Exit:
    rows, following = operation_list.page(which, after=after, limit=limit)
    none = "No operations yet." if which == OperationFilter() and not after else "No operation matches."
    more = [line(f"More: --after {following}", "dim")] if following else []
    console.print_result(
        _fields(rows, dry_run=dry_run, following=following), _shown(rows) if rows else none, *more
    )
    return Exit.OK


def _fields(
    rows: list[dict[str, Any]], *, dry_run: bool = False, following: UUID | None = None
) -> dict[str, Any]:
    return {"dry_run": dry_run, "operations": rows, "next": following}


def _note(console: Console, operation_id: UUID, what: str, reason: str) -> None:
    """The operation keeps the reason it began with; why it is resumed or stopped is a row of its own."""
    if reason := tidy_reason(reason):
        scope = {"verb": "operations", "what": what, "operation": str(operation_id)}
        AuditLog.write_operation(
            f"operation {what} requested", actor=console.actor, reason=reason, scope=scope
        )


def _resume(console: Console, operation: Operation) -> Exit:
    done = carry_out(console, operation)
    console.print_result(_fields([done.as_dict()]), *sentences(done))
    return ended(done)


def _stop(console: Console, operation_id: UUID) -> Exit:
    rows = [operations.stop(operation_id, actor=console.actor).as_dict()]
    console.print_result(_fields(rows), _shown(rows))
    return Exit.OK


def _shown(rows: list[dict[str, Any]]) -> RenderableType:
    return fitting(_HEADS, [_cells(row) for row in rows], ("handled", "changed", "skipped"))


def _cells(row: dict[str, Any]) -> list[object]:
    is_single = row["verb"] not in Verb.values and not row["total"]
    handled = "" if is_single else f"{row['changed'] + row['skipped']:,} of {row['total']:,}"
    which = (
        f"of {row['undoes']}" if row["undoes"] else _scope(row) if is_single else str(_filter(row)) or "all"
    )
    return [
        row["id"],
        f"{row['verb']} {row['priority']}".strip(),
        line(row["state"], _COLOURS[row["state"]]),
        handled,
        "" if is_single else f"{row['changed']:,}",
        "" if is_single else f"{row['skipped']:,}",
        moment(row["started_at"]),
        row["actor"],
        which,
        plain(row["reason"]),
    ]


def _scope(row: dict[str, Any]) -> str:
    """What a single operation was given, in words."""
    shown = ((name, value) for name, value in row["scope"].items() if isinstance(value, str | int))
    return plain(", ".join(f"{name} {value}" for name, value in shown if name not in {"verb", "sha256"}))


def _filter(row: dict[str, Any]) -> TaskFilter | ArticleFilter:
    return (ArticleFilter if row["verb"] == Verb.MIGRATE else TaskFilter).from_json(row["scope"])
