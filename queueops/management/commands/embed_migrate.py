"""`manage.py embed_migrate`: queues an existing corpus (backfill), and rolls that back."""

from argparse import Action
from typing import Any

from django.core.management.base import CommandParser

from queueops.cli.verbs import backfill
from queueops.management.commands import queue_admin

_DEFAULT = "run"
# of the names of options without a verb, so that a verb's own options do not overwrite them
_BARE = "bare_"


class Command(queue_admin.Command):
    help = (
        "Queues articles without vectors, after an estimate, and can roll that back. The default verb is run. "
        "docs/migrating.md lists each verb's options and JSON keys."
    )
    families = (backfill.family,)
    requires_verb = False

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        (default,) = (verb for verb in backfill.family if verb.name == _DEFAULT)
        self._parser = parser
        self._bare = queue_admin.give_options(parser, default)
        for option in self._bare:
            if not option.choices:
                option.metavar = option.metavar or option.dest.upper()
            option.dest = _BARE + option.dest

    def handle(self, **options: Any) -> None:
        given = {option.dest: options.pop(option.dest) for option in self._bare}
        if options["verb"] is None:
            options |= {name.removeprefix(_BARE): value for name, value in given.items()}
        elif misplaced := [_name(option) for option in self._bare if given[option.dest] != option.default]:
            self._parser.error(f"{', '.join(misplaced)} before the verb: put it after {options['verb']}")
        super().handle(**options)


def _name(option: Action) -> str:
    return option.option_strings[0]
