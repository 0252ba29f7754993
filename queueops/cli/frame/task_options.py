"""Options that select tasks, and that say how and why a verb changes them."""

import re
from argparse import Action, ArgumentError, ArgumentTypeError, Namespace
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from queueops.cli.frame import arguments
from queueops.cli.frame.exit_codes import Refused
from queueops.cli.frame.verb import Options
from queueops.cli.verbs.lists import task_id
from queueops.engine.enqueue import Reason
from queueops.models import Priority, Status
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate.operations import pacing

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(r"(\d{1,6})([smhdw])")
_MOST_AGE = timedelta(days=36_500)  # older than any task, and no date before the first year
_FILTERS = ("error_class", "task_reason", "priority", "older_than", "newer_than", "space", "slug", "open")


def add_tasks(parser: Options) -> None:
    """Ids, filters and `--all`; `chosen` makes a TaskFilter of them."""
    add = parser.add_argument
    add("ids", nargs="*", type=task_id, metavar="ID", help="task ids")
    add("--status", action="append", choices=[str(each) for each in Status], help="may be repeated")
    add(
        "--error",
        action=Once,
        dest="error_class",
        default="",
        metavar="CLASS",
        help="only this error class",
    )
    add(
        "--task-reason",
        action=Once,
        default="",
        metavar="REASON",
        help="only tasks created for this reason: edit, import, migration, …",
    )
    add(
        "--priority",
        action=Once,
        choices=[str(each) for each in Priority],
        default="",
        help="only this priority",
    )
    add(
        "--older-than",
        action=Once,
        type=age,
        metavar="AGE",
        help="created longer ago than this: 90s, 30m, 2h, 7d",
    )
    add("--newer-than", action=Once, type=age, metavar="AGE", help="created more recently than this")
    add("--space", action=Once, type=task_id, metavar="ID", help="only this embedding space")
    add("--slug", action=Once, default="", help="only the article with this slug")
    add("--open", action="store_true", help="only failed tasks whose article's current text has no vectors")
    add("--all", dest="everything", action="store_true", help="every task that the verb applies to")


def chosen(options: Mapping[str, Any]) -> TaskFilter:
    """The filter of the options of `add_tasks`. Raises Refused for no selection, and for --all with another."""
    given = {name: options[name] for name in _FILTERS}
    given["reason"] = given.pop("task_reason")
    selection = TaskFilter(
        ids=tuple(options["ids"]) or None, statuses=tuple(options["status"] or ()), **given
    )
    if selection.is_everything and not options["everything"]:
        raise Refused("no tasks selected: give ids, a filter or --all")
    if options["everything"] and not selection.is_everything:
        raise Refused("--all selects every task: remove it, or remove the ids and filters")
    return selection


def add_manner(parser: Options, *, asks: bool = True) -> None:
    """`--reason`, `--yes`, `--dry-run` and `--batch-size`. `--why` is the older name of `--reason`."""
    arguments.add_reason(parser, "--why")
    add_pace(parser, asks=asks)


def add_pace(parser: Options, *, asks: bool = True) -> None:
    """`--yes`, `--dry-run` and `--batch-size`."""
    arguments.add_agreement(parser, asks=asks)
    parser.add_argument(
        "--batch-size",
        type=arguments.whole(1, pacing.MOST),
        default=pacing.MOST,
        metavar="N",
        help=f"maximum tasks per transaction (default and limit: {pacing.MOST:,}); the actual size adapts",
    )


def add_ambiguous_reason(parser: Options) -> None:
    """`--reason` of `clear`, which the reference uses as a filter (`clear --reason migration`), beside `--why`."""
    parser.add_argument(
        "--reason",
        action=Once,
        dest="reason",
        type=arguments.bounded_reason,
        default="",
        metavar="WHY",
        help=f"why, with --task-reason; without it a task reason ({', '.join(Reason.values)}), as --task-reason",
    )
    parser.add_argument(
        "--why",
        type=arguments.bounded_reason,
        default="",
        metavar="WHY",
        help="why; kept in the audit log",
    )


def resolve_reason(options: dict[str, Any]) -> None:
    """Makes one meaning of what `add_ambiguous_reason` was given: `reason` is why, `task_reason` a filter.

    A misspelt filter must not become a comment on clearing everything. Raises Refused for a word that is not a task
    reason, unless --task-reason is given too.
    """
    reason, why = options["reason"], options.pop("why")
    if not reason:
        options["reason"] = why
    elif options["task_reason"]:
        if why:
            raise Refused("--reason and --why are the same here: give one of them")
    elif reason in Reason.values:
        options["task_reason"], options["reason"] = reason, why
    else:
        raise Refused(
            f"--reason {reason!r} is ambiguous in clear: give --task-reason to select tasks "
            f"({', '.join(Reason.values)}), or --why to record why"
        )


class Once(Action):
    """Stores an option's value and refuses a second one, which would silently replace the first."""

    def __call__(
        self, parser: Options, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        if (given := getattr(namespace, self.dest)) != self.default:
            raise ArgumentError(self, f"given twice, as {given!r} and as {values!r}: give it once")
        setattr(namespace, self.dest, values)


def age(text: str) -> timedelta:
    """The type of an option that is an age: a number and s, m, h, d or w."""
    if not (found := _AGE.fullmatch(text)):
        raise ArgumentTypeError(f"invalid age {text!r}: use a number followed by s, m, h, d or w, e.g. 2h")
    if (given := timedelta(**{_UNITS[found[2]]: int(found[1])})) > _MOST_AGE:
        raise ArgumentTypeError(f"invalid age {text!r}: use at most {_MOST_AGE.days:,} days")
    return given
