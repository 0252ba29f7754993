"""Verbs for many tasks: retry, cancel, prioritize, clear, reset-stuck and undo."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from rich.text import Text

from lib.manage_command import manage
from queueops.cli.frame import task_options
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.tables import line, table
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.models import Operation, Priority, Status, Verb
from queueops.models.audit import needed_reason
from queueops.monitoring.task_filter import SelectionError, TaskFilter
from queueops.operate import operations
from queueops.operate.operations import OperationError, Preview

family = VerbGroup("Many tasks")

KEYS = ("operation", "verb", "state", "dry_run", "total", "changed", "skipped", "skips", "sample")


def _retry_arguments(parser: Options) -> None:
    task_options.add_tasks(parser)
    task_options.add_manner(parser)


@family.verb(
    "retry",
    "requeue failed tasks (cancelled tasks too, if given by id or --status)",
    arguments=_retry_arguments,
    keys=KEYS,
)
def retry(console: Console, **options: Any) -> Exit:
    selection = task_options.chosen(options).or_only(
        Status.FAILED
    )  # cancelled tasks were cancelled on purpose
    return run_operation(console, Verb.REQUEUE, selection, options)


@family.verb("cancel", "cancel pending and processing tasks", arguments=_retry_arguments, keys=KEYS)
def cancel(console: Console, **options: Any) -> Exit:
    return run_operation(console, Verb.CANCEL, task_options.chosen(options), options)


def _prioritize_arguments(parser: Options) -> None:
    parser.add_argument(
        "to", choices=[str(each) for each in Priority], metavar="PRIORITY", help="one of %(choices)s"
    )
    _retry_arguments(parser)


@family.verb(
    "prioritize",
    "change the priority of pending and processing tasks",
    arguments=_prioritize_arguments,
    keys=KEYS,
)
def prioritize(console: Console, *, to: str, **options: Any) -> Exit:
    return run_operation(console, Verb.PRIORITIZE, task_options.chosen(options), options, priority=to)


def _clear_arguments(parser: Options) -> None:
    task_options.add_tasks(parser)
    task_options.add_ambiguous_reason(parser)
    task_options.add_pace(parser)


@family.verb(
    "clear",
    "cancel pending tasks; with --status or --all also remove ended ones",
    arguments=_clear_arguments,
    keys=KEYS,
)
def clear(console: Console, **options: Any) -> Exit:
    task_options.resolve_reason(options)
    if not options["everything"] and not options["ids"]:
        options["status"] = options["status"] or [Status.PENDING.value]
    options["reason"] = options["reason"] or "cleared from the command line"
    return run_operation(console, Verb.CLEAR, task_options.chosen(options), options)


def _reset_arguments(parser: Options) -> None:
    task_options.add_manner(parser, asks=False)


@family.verb(
    "reset-stuck",
    "release tasks whose lease has expired, now",
    arguments=_reset_arguments,
    keys=KEYS,
)
def reset_stuck(console: Console, **options: Any) -> Exit:
    options["reason"] = options["reason"] or "reset from the command line"
    return run_operation(console, Verb.RELEASE, TaskFilter(stuck=True), options | {"yes": True})


def _undo_arguments(parser: Options) -> None:
    parser.add_argument(
        "operation", type=UUID, metavar="OPERATION", help="operation id, as printed by the command to undo"
    )
    task_options.add_manner(parser)


@family.verb(
    "undo", "undo an operation, for tasks that have not changed since", arguments=_undo_arguments, keys=KEYS
)
def undo(console: Console, *, operation: UUID, **options: Any) -> Exit:
    try:
        undone = operations.undoable(operation)
    except OperationError as error:
        raise Refused(str(error)) from error
    return run_operation(console, Verb.UNDO, TaskFilter(), options, undoes=undone)


def run_operation(
    console: Console, verb: Verb, selection: TaskFilter, options: dict[str, Any], **details: Any
) -> Exit:
    """Counts the tasks, asks, runs the operation and prints the result."""
    try:
        found = operations.preview(verb, selection, **details)
    except SelectionError as error:
        raise Refused(str(error)) from error
    if found.doable and not options["dry_run"]:
        needed_reason(options["reason"])
    if not found.doable or not console.agree(
        _change(found, details), yes=options["yes"], dry_run=options["dry_run"]
    ):
        _print_preview(console, found, is_dry_run=options["dry_run"])
        return _exit_of_preview(found)
    begun = operations.begin(verb, selection, actor=console.actor, reason=options["reason"], **details)
    done = carry_out(console, begun, options["batch_size"])
    fields = {name: getattr(done, name) for name in ("verb", "state", "total", "changed", "skipped", "skips")}
    console.print_result(
        {"operation": done.pk, "dry_run": False, "sample": [], **fields},
        *sentences(done, _named(found.left_out)),
    )
    return ended(done)


def carry_out(console: Console, operation: Operation, batch_size: int | None = None) -> Operation:
    """Runs the operation, with a progress bar. Raises Refused on Ctrl-C, with the command that resumes it."""
    try:
        with console.progress(operation.message, operation.total) as bar:
            return operations.carry_out(operation, progress=bar.set, batch_size=batch_size)
    except OperationError as error:
        raise Refused(str(error)) from error
    except KeyboardInterrupt as error:
        operation.refresh_from_db()
        done = operation.changed + operation.skipped
        raise Refused(
            f"interrupted after {done:,} of {operation.total:,} tasks; resume with: "
            f"{manage(f'queue_admin operations resume {operation.pk}')}",
            Exit.INTERRUPTED,
        ) from error


def sentences(done: Operation, named: Mapping[str, str] | None = None) -> list[Text]:
    """The result of an operation in sentences; `named` has the ids of skipped tasks by the reason."""
    stopped = "" if done.state == "done" else f" ({done.state} after that)"
    noun = "task" if done.changed == 1 else "tasks"
    lines = [line(f"{done.changed:,} {noun} {Verb(done.verb).acted}{stopped}; operation {done.pk}")]
    lines += _skips(done.skips, named or {})
    if done.changed and _removes_failed_or_cancelled(done.verb, TaskFilter.from_json(done.scope)):
        lines.append(line(_COMES_BACK))
    if done.changed and operations.POLICIES[Verb(done.verb)].can_be_undone:
        lines.append(line(f"To undo: {manage(f'queue_admin undo {done.pk}')}", "dim"))
    return lines


def ended(done: Operation) -> Exit:
    """OK if every task was changed."""
    return Exit.OK if done.state == "done" and not done.skipped else Exit.PARTLY


def _print_preview(console: Console, found: Preview, *, is_dry_run: bool) -> None:
    sample = [{"id": task.pk, "slug": task.slug, "status": task.status} for task in found.sample]
    skipped = found.total - found.doable
    nothing: dict[str, Any] = {"operation": None, "state": None, "changed": 0, "skipped": skipped}
    fields = nothing | {"verb": found.verb, "dry_run": is_dry_run, "total": found.total, "skips": found.skips}
    rows = table(["id", "status", "article"], [[row["id"], row["status"], row["slug"]] for row in sample])
    nothing_to_do = line(f"No task to {_WORDS[found.verb]}.")
    console.print_result(
        fields | {"sample": sample},
        *([rows] if found.doable and sample else []),
        *([] if found.doable else [nothing_to_do]),
        *_skips(found.skips, _named(found.left_out)),
    )


def _exit_of_preview(found: Preview) -> Exit:
    """Without a change: REFUSED or PARTLY if tasks given by id do not allow the verb."""
    if found.left_out and not found.doable:
        return Exit.REFUSED
    return Exit.PARTLY if found.left_out or (found.total and not found.doable) else Exit.OK


def _skips(skips: Mapping[str, int], named: Mapping[str, str]) -> list[Text]:
    return [
        line(f"{count:,} skipped: {reason}" + (f" ({named[reason]})" if reason in named else ""))
        for reason, count in skips.items()
    ]


def _named(left_out: Mapping[int, str]) -> dict[str, str]:
    """The first skipped ids of each reason, as text."""
    ids = {why: [each for each, its in left_out.items() if its == why] for why in left_out.values()}
    return {
        why: ", ".join(map(str, skipped[:_SHOWN])) + (", …" if len(skipped) > _SHOWN else "")
        for why, skipped in ids.items()
    }


def _removes_failed_or_cancelled(verb: str, selection: TaskFilter) -> bool:
    ended = {Status.FAILED.value, Status.CANCELLED.value}
    return verb == Verb.CLEAR and bool(selection.ids or ended & set(selection.statuses))


def _change(found: Preview, details: dict[str, Any]) -> str:
    noun = "task" if found.doable == 1 else "tasks"
    to = f" as {details['priority']}" if "priority" in details else ""
    return f"{_WORDS[found.verb]} {found.doable:,} {noun}{to}"


_SHOWN = 10
_COMES_BACK = (
    "Failed and cancelled tasks were removed because you selected them explicitly. If an article has no vectors, the "
    "sweep will create a new task for it."
)
_WORDS = {
    Verb.REQUEUE: "requeue",
    Verb.CANCEL: "cancel",
    Verb.PRIORITIZE: "prioritize",
    Verb.CLEAR: "clear",
    Verb.RELEASE: "release",
    Verb.MIGRATE: "queue",
    Verb.UNDO: "put back",
}
