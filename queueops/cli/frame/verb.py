"""A verb of the command line, and the group it belongs to."""

from argparse import Action
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from queueops.cli.frame.exit_codes import Exit

type Run = Callable[..., Exit | None]
type Arguments = Callable[[Options], None]


class Options(Protocol):
    """Where a verb declares its options: an ArgumentParser, or a group of one."""

    def add_argument(self, *names: str, **settings: Any) -> Action: ...

    def add_mutually_exclusive_group(self, *, required: bool = False) -> "Options": ...


def no_arguments(_: Options) -> None:
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


def own_options(parser: Options, arguments: Arguments) -> list[Action]:
    """Adds a verb's options to the parser; returns them."""
    declared = _Declared(parser)
    arguments(declared)
    return declared.actions


def names_of(options: Iterable[Action]) -> tuple[str, ...]:
    """The names of the keyword arguments that these options become."""
    return tuple(dict.fromkeys(option.dest for option in options))


class _Declared:
    """Passes options on to a parser and lists them."""

    def __init__(self, parser: Options, actions: list[Action] | None = None) -> None:
        self._parser = parser
        self.actions: list[Action] = [] if actions is None else actions

    def add_argument(self, *names: str, **settings: Any) -> Action:
        action = self._parser.add_argument(*names, **settings)
        self.actions.append(action)
        return action

    def add_mutually_exclusive_group(self, *, required: bool = False) -> Options:
        return _Declared(self._parser.add_mutually_exclusive_group(required=required), self.actions)
