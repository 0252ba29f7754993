"""A verb of the command line, and the group it belongs to."""

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from queueops.cli.frame.exit_codes import Exit

type Run = Callable[..., Exit | None]
type Arguments = Callable[[ArgumentParser], None]


def no_arguments(_: ArgumentParser) -> None:
    """For a verb without options."""


@dataclass(frozen=True)
class ShellVerb:
    """`run(console, **options)` returns the exit code, None for OK. `keys` are those of each JSON object it prints.
    If `is_brief`, it waits at most a second for a lock."""

    name: str
    help: str
    run: Run
    arguments: Arguments
    keys: tuple[str, ...]
    is_brief: bool = False


class VerbGroup:
    """Verbs about one thing, in order of definition."""

    def __init__(self, title: str, *, is_brief: bool = False) -> None:
        self.title = title
        self._is_brief = is_brief
        self._verbs: list[ShellVerb] = []

    def __iter__(self) -> Iterator[ShellVerb]:
        return iter(self._verbs)

    def verb[F: Run](
        self, name: str, help: str, *, keys: tuple[str, ...], arguments: Arguments = no_arguments
    ) -> Callable[[F], F]:
        """Makes the decorated function a verb."""

        def add(run: F) -> F:
            self._verbs.append(ShellVerb(name, help, run, arguments, keys, self._is_brief))
            return run

        return add


def own_options(parser: ArgumentParser, arguments: Arguments) -> tuple[str, ...]:
    """Adds a verb's options to the parser; returns the names of its keyword arguments."""
    before = len(parser._actions)
    arguments(parser)
    added: list[Any] = parser._actions[before:]
    return tuple(dict.fromkeys(action.dest for action in added))
