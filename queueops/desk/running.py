"""The verb that shows the operations on many tasks, and resumes or stops one."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from rich.table import Table

from queueops import operations
from queueops.desk import arguments
from queueops.desk.acts import carry_out
from queueops.desk.exits import Exit, Refused
from queueops.desk.frame import Desk
from queueops.desk.listing import moment
from queueops.desk.tables import line, plain, table
from queueops.desk.verbs import Family
from queueops.migration.scope import Scope
from queueops.models import Operation, Verb
from queueops.operations import OperationError
from queueops.selection import Selection

family = Family("Operations")

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
def show(desk: Desk, *, what: str, operation: UUID | None, limit: int) -> Exit:
    if what == "list":
        found = Operation.objects.newest_first()
        return _answer(desk, list((found.filter(pk=operation) if operation else found)[:limit]))
    if operation is None:
        raise Refused(f"say which operation to {what}; `queue_admin operations` lists them")
    try:
        done = _resumed(desk, operation) if what == "resume" else operations.stop(operation, actor=desk.actor)
    except OperationError as error:
        raise Refused(str(error)) from error
    return _answer(desk, [done])


def _resumed(desk: Desk, operation_id: UUID) -> Operation:
    return carry_out(desk, operations.resumable(operation_id))


def _answer(desk: Desk, found: list[Operation]) -> Exit:
    rows = [operation.as_dict() for operation in found]
    desk.answer({"operations": rows}, _table(rows) if rows else "No operations yet.")
    return Exit.OK


def _table(rows: list[dict[str, Any]]) -> Table:
    return table(_HEADS, map(_cells, rows), ("handled", "changed", "skipped"))


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


def _filter(row: dict[str, Any]) -> Selection | Scope:
    return (Scope if row["verb"] == Verb.MIGRATE else Selection).from_json(row["scope"])
