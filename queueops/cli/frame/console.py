"""One call of the command, as its verb sees it: who calls, how it answers, asks, and shows that it goes on."""

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

from lib.visible import one_line, visible
from queueops.cli.frame.exit_codes import Refused
from queueops.cli.frame.verb import ShellVerb

# Without a terminal there is no width to fit: nothing is folded or cut.
_UNBOUNDED = 10_000


class Encoder(DjangoJSONEncoder):
    """Times, UUIDs and decimals as Django writes them; a dataclass by its fields."""

    def default(self, value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return super().default(value)


class Console:
    """`actor` is who does it; `is_terminal` says whether a person sees standard output as it comes."""

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

    def answer(self, fields: Mapping[str, Any], *human: RenderableType) -> None:
        """Prints `fields` as one JSON object on a line, or else the lines and tables for people."""
        if set(fields) != set(self._verb.keys):
            raise TypeError(f"{self._verb.name} promises {self._verb.keys} and answers {tuple(fields)}")
        if self.as_json:
            self.stdout.write(json.dumps(fields, cls=Encoder) + "\n")
        else:
            self.show(*human)

    def show(self, *human: RenderableType) -> None:
        """Prints lines and tables for people; nothing with --json."""
        for item in () if self.as_json else map(_shown, human):
            if self.is_terminal:
                self.rich.print(item)
            else:
                self.stdout.write(_without_padding(self.rich, item))

    def agree(self, deed: str, *, yes: bool, dry_run: bool) -> bool:
        """Whether to do it: `deed` follows the words "this would", for instance "cancel 12 pending tasks".

        False on a dry run, which says so. With `yes` it says on standard error what will be done, and asks nobody.
        Raises Refused where a person says no, or where there is none to ask.
        """
        if dry_run:
            self.show(f"This would {deed}. Nothing was changed.")
            return False
        if yes:
            sys.stderr.write(f"This will {one_line(deed)}.\n")
            return True
        if not self.ask(f"This will {deed}. Go on?"):
            raise Refused("nothing was changed")
        return True

    @property
    def can_ask(self) -> bool:
        """Whether a person sits at the terminal."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, question: str) -> bool:
        """A person's answer at the terminal, no unless they say yes. Raises Refused where there is nobody to ask."""
        if not self.can_ask:
            raise Refused(f"{question} There is nobody to ask here: nothing was changed; add --yes to go on")
        sys.stderr.write(f"{one_line(question)} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    @contextmanager
    def progress(self, description: str, total: int | None = None) -> Iterator["Steps"]:
        """A bar on standard error while it is entered, if that is a terminal; nothing elsewhere."""
        columns = (
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        )  # fmt: skip
        shown = sys.stderr.isatty()
        bar = Progress(*columns, console=RichConsole(stderr=True), transient=True, disable=not shown)
        with bar:
            yield Steps(bar, description, total)


class Steps:
    """The bar that a verb moves."""

    def __init__(self, bar: Progress, description: str, total: int | None) -> None:
        self._bar = bar
        self._task = bar.add_task(description, total=total)

    def advance(self, by: int = 1) -> None:
        self._bar.advance(self._task, by)

    def reach(self, done: int, total: int | None = None) -> None:
        """Sets where the bar stands, and its end when that has changed."""
        self._bar.update(self._task, completed=done, total=total)


def _shown(item: RenderableType) -> RenderableType:
    """Texts may quote what people wrote; the other items come from `tables`, which looks to it."""
    return "\n".join(map(visible, item.split("\n"))) if isinstance(item, str) else item


def login_name() -> str:
    """Who is logged in, for the audit log."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name in the environment, and none for this user's number
        return "command line"


def _without_padding(rich: RichConsole, item: RenderableType) -> str:
    with rich.capture() as captured:
        rich.print(item, soft_wrap=isinstance(item, str))
    return "".join(f"{row.rstrip()}\n" for row in captured.get().splitlines())
