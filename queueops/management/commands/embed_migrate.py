"""`manage.py embed_migrate`: queues an existing corpus (backfill), and rolls that back."""

import functools
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Any

from django.core.management.base import CommandParser

from queueops.cli.verbs import backfill
from queueops.management.commands import queue_admin

_DEFAULT = "run"
_VERBS = tuple(verb.name for verb in backfill.family)
# Django's own options, and ours, that may come before the verb
_WITH_VALUE = ("-v", "--verbosity", "--settings", "--pythonpath", "--actor")
_ALONE = ("--traceback", "--no-color", "--force-color")
_HELP = ("-h", "--help", "--version")


class Command(queue_admin.Command):
    help = (
        "Queues articles without vectors, after an estimate, and can roll that back. The default verb is run. "
        "docs/migrating.md lists each verb's options and JSON keys."
    )
    families = (backfill.family,)

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.parse_args = functools.partial(_parsed, parser.parse_args)  # type: ignore[assignment, method-assign]
        return parser


def _parsed(parse: Callable[..., Namespace], args: Sequence[str] = (), namespace: Any = None) -> Namespace:
    return parse(with_verb(args), namespace)


def with_verb(words: Sequence[str]) -> list[str]:
    """The command line, with the verb `run` inserted if it has none."""
    at = 0
    while at < len(words) and words[at].partition("=")[0] in (*_WITH_VALUE, *_ALONE):
        at += 2 if words[at] in _WITH_VALUE else 1
    is_complete = at < len(words) and words[at] in (*_VERBS, *_HELP)
    return list(words) if is_complete else [*words[:at], _DEFAULT, *words[at:]]
