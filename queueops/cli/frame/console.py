"""One call of the command as its verb sees it: the actor, the output, confirmation and progress."""

import dataclasses
import getpass
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, cast

from django.core.management.base import OutputWrapper
from django.core.serializers.json import DjangoJSONEncoder
from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lib.visible_text import one_line, visible
from queueops.cli.frame.exit_codes import Refused
from queueops.cli.frame.verb import ShellVerb

# Without a terminal the width is unlimited: nothing is folded or cut.
_UNBOUNDED = 10_000


class Encoder(DjangoJSONEncoder):
    """Times, UUIDs and decimals as Django writes them; a dataclass by its fields."""

    def default(self, value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return super().default(value)


class Console:
    """`actor` is the name for the audit log; `is_terminal`: standard output is a terminal."""

    def __init__(
        self, verb: ShellVerb, stdout: OutputWrapper, *, actor: str, as_json: bool, no_color: bool = False
    ) -> None:
        self.actor = actor or login_name()
        self.as_json = as_json
        self.is_terminal = stdout.isatty()
        self.stdout = stdout
        stdout.ending = ""  # rich ends its lines itself, and moves the cursor between them
        self.rich = RichConsole(
            file=cast(IO[str], stdout),
            force_terminal=self.is_terminal,
            width=None if self.is_terminal else _UNBOUNDED,
            no_color=no_color or None,
            markup=False,
            highlight=False,
            emoji=False,
        )
        self._verb = verb

    def print_result(self, fields: Mapping[str, Any], *human: RenderableType) -> None:
        """Prints `fields` as one JSON object on a line with --json, else the lines and tables for people."""
        if set(fields) != set(self._verb.keys):
            raise TypeError(f"{self._verb.name} declares {self._verb.keys} and prints {tuple(fields)}")
        if self.as_json:
            self.stdout.write(json.dumps(fields, cls=Encoder) + "\n")
        else:
            self.show(*human)

    def show(self, *human: RenderableType) -> None:
        """Prints lines and tables for people; nothing with --json."""
        for item in () if self.as_json else map(_shown, human):
            if self.is_terminal:
                self.rich.print(item, crop=False)  # a longer id is for the terminal to wrap
            else:
                self.stdout.write(_without_padding(self.rich, item))

    def agree(self, change: str, *, yes: bool, dry_run: bool) -> bool:
        """Whether to proceed; `change` follows the words "this would", for instance "cancel 12 pending tasks".

        Returns False on a dry run, after printing the change. With `yes` the change is printed on standard error and
        nothing is asked. Raises Refused if the answer is no, or there is no terminal.
        """
        if dry_run:
            self.show(f"This would {change}. Nothing was changed.")
            return False
        if yes:
            sys.stderr.write(f"This will {one_line(change)}.\n")
            return True
        if not self.can_ask:
            raise Refused(
                f"This would {change}. Not a terminal, so confirmation is not possible. Nothing was changed. "
                "Add --yes to proceed"
            )
        sys.stderr.write(f"This will {one_line(change)}. Continue? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise Refused("nothing was changed")
        return True

    @property
    def can_ask(self) -> bool:
        """Whether input and errors are a terminal."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    @contextmanager
    def progress(self, description: str, total: int | None = None) -> Iterator["Steps"]:
        """A progress bar on standard error inside the block, if that is a terminal."""
        columns = (
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        )  # fmt: skip
        shown = sys.stderr.isatty()
        bar = Progress(*columns, console=RichConsole(stderr=True), transient=True, disable=not shown)
        with bar:
            yield Steps(bar, description, total)


class Steps:
    """The progress bar of a verb."""

    def __init__(self, bar: Progress, description: str, total: int | None) -> None:
        self._bar = bar
        self._task = bar.add_task(description, total=total)

    def advance(self, by: int = 1) -> None:
        self._bar.advance(self._task, by)

    def set(self, done: int, total: int | None = None) -> None:
        """Sets the position, and the total if it has changed."""
        self._bar.update(self._task, completed=done, total=total)


def _shown(item: RenderableType) -> RenderableType:
    """Texts may quote what people wrote, so they are escaped; tables are escaped where they are made."""
    return "\n".join(map(visible, item.split("\n"))) if isinstance(item, str) else item


def login_name() -> str:
    """The login name, for the audit log."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name in the environment, and none for this user's number
        return "command line"


def _without_padding(rich: RichConsole, item: RenderableType) -> str:
    with rich.capture() as captured:
        rich.print(item, soft_wrap=isinstance(item, str))
    return "".join(f"{row.rstrip()}\n" for row in captured.get().splitlines())
