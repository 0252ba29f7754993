"""`manage.py queue_admin`: what an operator sees of the queue and does to it from a terminal."""

import os
import sys
from argparse import SUPPRESS
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError, OperationalError, ProgrammingError, connection

from lib.database_errors import is_held_up
from lib.visible import one_line
from queueops.base import database_away, installed, table_locks
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.verb import ShellVerb, VerbGroup, own_options
from queueops.cli.verbs import (
    bulk,
    explain,
    lists,
    maintenance,
    monitor,
    operations,
    pause_and_mode,
    status,
    stop_and_start,
    transfer,
    wait,
)
from queueops.cli.verbs import health as health_verb
from queueops.monitoring import health
from queueops.operate.operations import ReasonMissing

FAMILIES: tuple[VerbGroup, ...] = (
    status.family,
    health_verb.family,
    lists.family,
    explain.family,
    monitor.family,
    wait.family,
    transfer.family,
    maintenance.family,
    pause_and_mode.family,
    stop_and_start.family,
    bulk.family,
    operations.family,
)
_BRIEF_MS = 1_000
_NO_TABLE = "42P01"  # undefined_table, in the standard's list of states


class Command(BaseCommand):
    help = "Shows, judges and steers the queue. docs/commands.md has each verb's JSON keys and exit codes."
    requires_system_checks: list[str] = []
    families = FAMILIES
    needs_queue = True  # False: it also runs where the queue's tables are not

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--actor", default="", help="who does it; you, by default")
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        for verb in (verb for family in self.families for verb in family):
            added = verbs.add_parser(verb.name, help=verb.help, description=verb.help)
            give_options(added, verb)
            added.add_argument("--actor", default=SUPPRESS, help=SUPPRESS)

    def handle(self, **options: Any) -> None:
        verb: ShellVerb = options["act"]
        console = Console(
            verb,
            self.stdout,
            actor=options["actor"],
            as_json=options["json"],
            no_color=options["no_color"],
        )
        code = self._run(verb, console, {name: options[name] for name in options["names"]})
        if code:
            sys.exit(int(code))

    def _run(self, verb: ShellVerb, console: Console, options: dict[str, Any]) -> Exit | None:
        try:
            if verb.is_brief:
                _wait_for_locks(_BRIEF_MS)
            if self.needs_queue and not installed.look():
                raise Refused(installed.NOT_INSTALLED, Exit.TROUBLE)
            return verb.run(console, **options)
        except ReasonMissing as error:
            raise CommandError(f"{error}: --reason", returncode=Exit.REFUSED) from error
        except Refused as error:
            raise CommandError(one_line(str(error)), returncode=error.exit) from error
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(one_line(_said(error)), returncode=Exit.TROUBLE) from error
        except KeyboardInterrupt as error:
            raise CommandError("stopped", returncode=Exit.INTERRUPTED) from error
        except BrokenPipeError:  # whoever read our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None


class OneVerb(Command):
    """A command that is its one verb: no word for it is given."""

    def add_arguments(self, parser: CommandParser) -> None:
        ((verb,),) = self.families
        parser.add_argument("--actor", default="", help="who does it; you, by default")
        give_options(parser, verb)


def give_options(parser: Any, verb: ShellVerb) -> None:
    """Gives a parser a verb's own options and --json, and makes it the verb to run."""
    names = own_options(parser, verb.arguments)
    parser.add_argument("--json", action="store_true", help="print JSON, one object a line")
    parser.set_defaults(act=verb, names=names)


def _wait_for_locks(milliseconds: int) -> None:
    """Whoever looks at the queue, or stops it, hears at once that a table is locked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(milliseconds)])


def _said(error: Exception) -> str:
    """The database's trouble in one sentence."""
    if is_held_up(error):
        holders = " ".join(health.of_lock(lock) for lock in table_locks.held(at_once=True))
        return f"the database is locked, nothing was done: {holders or 'for a moment; try again'}"
    reason = str(error).strip().partition("\n")[0]
    if isinstance(error, ProgrammingError) and getattr(error.__cause__, "sqlstate", "") == _NO_TABLE:
        return f"the queue's tables are not there ({reason}): run manage.py migrate"
    if isinstance(error, OperationalError | InterfaceError):
        return database_away.sentence(error)
    return f"the database answers, but refuses what it was asked: {reason}"
