"""`manage.py embed_migrate`: brings an existing corpus from synchronous, or no, embedding into the queue, and back."""

import functools
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Any

from django.core.management.base import CommandParser

from queueops.cli.verbs import backfill
from queueops.management.commands import queue_admin

_DEFAULT = "run"
_VERBS = tuple(verb.name for verb in backfill.family)
# Django's own options, and ours, that may stand before the verb
_WITH_VALUE = ("-v", "--verbosity", "--settings", "--pythonpath", "--actor")
_ALONE = ("--traceback", "--no-color", "--force-color")
_HELP = ("-h", "--help", "--version")


class Command(queue_admin.Command):
    help = (
        "Queues the articles that have no vectors; says before what that takes, and can take it back. Without a verb "
        "it runs. docs/migrating.md has each verb's options and JSON keys."
    )
    families = (backfill.family,)

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.parse_args = functools.partial(_parsed, parser.parse_args)  # type: ignore[assignment, method-assign]
        return parser


def _parsed(parse: Callable[..., Namespace], args: Sequence[str] = (), namespace: Any = None) -> Namespace:
    return parse(with_verb(args), namespace)


def with_verb(words: Sequence[str]) -> list[str]:
    """The words of a command line, `run` put in where no verb is said."""
    at = 0
    while at < len(words) and words[at].partition("=")[0] in (*_WITH_VALUE, *_ALONE):
        at += 2 if words[at] in _WITH_VALUE else 1
    is_said = at < len(words) and words[at] in (*_VERBS, *_HELP)
    return list(words) if is_said else [*words[:at], _DEFAULT, *words[at:]]
