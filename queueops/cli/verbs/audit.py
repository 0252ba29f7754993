"""The verb that reads the audit log."""

from datetime import timedelta
from uuid import UUID

from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.tables import fitting, line, plain
from queueops.cli.frame.task_options import age
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.cli.verbs.lists import moment, task_id
from queueops.models import AuditLog, Category, Level
from queueops.models.audit import EVENTS
from queueops.monitoring import audit_list
from queueops.monitoring.audit_list import AuditFilter, AuditPage, Entry

family = VerbGroup("Audit log")

_COLOURS = {Level.WARNING.value: "yellow", Level.ERROR.value: "bold red"}
_HEADS = ("id", "time (UTC)", "level", "category", "task", "by", "operation", "message", "reason")
_MOST_ACTOR = AuditLog._meta.get_field("actor").max_length or 0


def _audit_arguments(parser: Options) -> None:
    parser.add_argument("--level", choices=list(map(str, Level)), default="", help="only this level")
    parser.add_argument("--category", choices=list(map(str, Category)), default="", help="only this category")
    parser.add_argument(
        "--event",
        choices=EVENTS,
        default="",
        help="only this event of a task",
    )
    parser.add_argument("--by", default="", metavar="NAME", help="only of this operator")
    parser.add_argument("--operation", type=UUID, metavar="ID", help="only of this operation")
    parser.add_argument("--task", type=task_id, metavar="ID", help="only of this task")
    parser.add_argument(
        "--newer-than", type=age, metavar="AGE", help="only entries of the last 2h, 7d or the like"
    )
    parser.add_argument(
        "--after", type=task_id, metavar="ID", help="entry to continue after, as printed by the previous page"
    )
    arguments.add_limit(parser, 50)


@family.verb(
    "audit", "the audit log, newest entries first", arguments=_audit_arguments, keys=("entries", "next")
)
def audit(
    console: Console,
    *,
    level: str,
    category: str,
    event: str,
    by: str,
    operation: UUID | None,
    task: int | None,
    newer_than: timedelta | None,
    after: int | None,
    limit: int,
) -> None:
    which = AuditFilter(
        level=level,
        category=category,
        event=event,
        actor=by[:_MOST_ACTOR],
        operation=operation,
        task=task,
        newer_than=newer_than,
    )
    found = audit_list.page(which, after=after, limit=limit)
    rows = [_cells(entry) for entry in found.entries]
    shown = fitting(_HEADS, rows, ("task",)) if rows else _nothing(found)
    console.print_result(
        vars(found), shown, *([line(f"More: --after {found.next}", "dim")] if found.next else [])
    )


def _nothing(found: AuditPage) -> str:
    return f"No entry matches among {audit_list.READ_MOST:,} read." if found.next else "No entry matches."


def _cells(entry: Entry) -> list[object]:
    return [
        entry.id,
        moment(entry.timestamp),
        line(entry.level, _COLOURS.get(entry.level, "")),
        entry.category,
        entry.task_id or "",
        entry.actor,
        entry.operation_id or "",
        plain(entry.message),
        plain(entry.reason),
    ]
