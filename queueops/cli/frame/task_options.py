"""Options by which an operator says which tasks are meant, and how and why something is done to them."""

import re
from argparse import Action, ArgumentError, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from queueops.cli.frame import arguments
from queueops.cli.frame.exit_codes import Refused
from queueops.cli.verbs.lists import task_id
from queueops.models import Priority, Status
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate.operations import pacing

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(r"(\d{1,6})([smhdw])")
_FILTERS = ("error_class", "task_reason", "priority", "older_than", "newer_than", "space", "slug")


def add_tasks(parser: ArgumentParser, *task_reason: str) -> None:
    """Ids, filters and `--all`; `chosen` makes a Selection of them. `task_reason` are more names for that filter."""
    add = parser.add_argument
    add("ids", nargs="*", type=task_id, metavar="ID", help="tasks by their ids")
    add("--status", action="append", choices=[str(each) for each in Status], help="may be repeated")
    add(
        "--error",
        action=Once,
        dest="error_class",
        default="",
        metavar="CLASS",
        help="only this class of error",
    )
    add(
        "--task-reason",
        *task_reason,
        action=Once,
        default="",
        metavar="REASON",
        help="only tasks made for this: edit, import, migration, …",
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
        help="made longer ago than this: 90s, 30m, 2h, 7d",
    )
    add("--newer-than", action=Once, type=age, metavar="AGE", help="made less long ago than this")
    add("--space", action=Once, type=task_id, metavar="ID", help="only of this embedding space")
    add("--slug", action=Once, default="", help="only of the article with this slug")
    add("--all", dest="everything", action="store_true", help="every task that this can be done to")


def chosen(options: Mapping[str, Any]) -> TaskFilter:
    """What `add_tasks` was given. Raises Refused when that is nothing, or everything and something."""
    given = {name: options[name] for name in _FILTERS}
    given["reason"] = given.pop("task_reason")
    selection = TaskFilter(
        ids=tuple(options["ids"]) or None, statuses=tuple(options["status"] or ()), **given
    )
    if selection.is_everything and not options["everything"]:
        raise Refused("say which tasks: ids, a filter, or --all")
    if options["everything"] and not selection.is_everything:
        raise Refused("--all means every task: leave it out, or leave out the ids and filters")
    return selection


def add_manner(parser: ArgumentParser, *why: str) -> None:
    """`--why` (and its other names), `--yes`, `--dry-run` and `--batch-size`."""
    parser.add_argument(
        "--why", *why, dest="why", default="", metavar="WHY", help="the reason; kept in the audit log"
    )
    arguments.add_agreement(parser)
    parser.add_argument(
        "--batch-size",
        type=arguments.whole(1, pacing.MOST),
        default=pacing.MOST,
        metavar="N",
        help=f"tasks a transaction at most, up to {pacing.MOST:,}; it finds its own size below that",
    )


class Once(Action):
    """Stores an option's value, and refuses a second one, which would silently win over the first."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        if (given := getattr(namespace, self.dest)) != self.default:
            raise ArgumentError(self, f"give it once: it has {given!r} already, and now {values!r}")
        setattr(namespace, self.dest, values)


def age(text: str) -> timedelta:
    """The type of an option that is an age: a number and s, m, h, d or w."""
    if not (found := _AGE.fullmatch(text)):
        raise ArgumentTypeError(f"{text!r} is no age: give a number and s, m, h, d or w, for instance 2h")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
