"""`manage.py queue_admin`: the operator's command line for the queue."""

import os
import sys
from argparse import SUPPRESS, Action
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError, ProgrammingError, connection

from lib.database_errors import is_held_up
from lib.manage_command import manage
from lib.visible_text import one_line
from queueops.base import database_away, installed, table_locks
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.verb import ShellVerb, VerbGroup, names_of, own_options
from queueops.cli.verbs import (
    audit,
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
from queueops.monitoring import health_sentences
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
    audit.family,
)
NO_REASON = "give a reason with --reason; it is kept in the audit log"
_BRIEF_MS = 1_000
_NO_TABLE = "42P01"  # SQLSTATE undefined_table


class Command(BaseCommand):
    help = "Inspects and controls the queue. docs/commands.md lists each verb's JSON keys and exit codes."
    requires_system_checks: list[str] = []
    families = FAMILIES
    requires_verb = True
    needs_queue = True  # False: it also runs without the queue's tables

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--actor", default="", help="name for the audit log (default: your login name)")
        verbs = parser.add_subparsers(dest="verb", required=self.requires_verb, metavar="VERB")
        for verb in (verb for family in self.families for verb in family):
            added = verbs.add_parser(verb.name, help=verb.help, description=verb.help)
            give_options(added, verb)
            added.add_argument("--actor", default=SUPPRESS, help=SUPPRESS)

    def handle(self, **options: Any) -> None:
        verb: ShellVerb = options["shell_verb"]
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
                raise Refused(installed.missing(), Exit.TROUBLE)
            return verb.run(console, **options)
        except ReasonMissing as error:
            raise CommandError(NO_REASON, returncode=Exit.REFUSED) from error
        except Refused as error:
            raise CommandError(one_line(str(error)), returncode=error.exit) from error
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(one_line(_sentence(error)), returncode=Exit.TROUBLE) from error
        except KeyboardInterrupt as error:
            raise CommandError("stopped", returncode=Exit.INTERRUPTED) from error
        except BrokenPipeError:  # the reader of our output has closed it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None


class OneVerb(Command):
    """A command with one verb, which is not given on the command line."""

    def add_arguments(self, parser: CommandParser) -> None:
        ((verb,),) = self.families
        parser.add_argument("--actor", default="", help="name for the audit log (default: your login name)")
        give_options(parser, verb)


def give_options(parser: CommandParser, verb: ShellVerb) -> list[Action]:
    """Adds a verb's options and --json to a parser, and makes it the verb to run; returns the options."""
    options = own_options(parser, verb.arguments)
    as_json = parser.add_argument("--json", action="store_true", help="print JSON, one object per line")
    parser.set_defaults(shell_verb=verb, names=names_of(options))
    return [*options, as_json]


def _wait_for_locks(milliseconds: int) -> None:
    """A verb that reads or stops the queue reports a locked table at once instead of waiting."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(milliseconds)])


def _sentence(error: Exception) -> str:
    """The database error in one sentence."""
    if is_held_up(error):
        holders = " ".join(health_sentences.of_lock(lock) for lock in table_locks.held(at_once=True))
        if not holders:
            return "another session locks a row that this needs; nothing was changed, retry in a moment"
        return f"a table is locked, nothing was changed: {holders}"
    reason = str(error).strip().partition("\n")[0]
    if isinstance(error, ProgrammingError) and getattr(error.__cause__, "sqlstate", "") == _NO_TABLE:
        return f"the queue's tables do not exist ({reason}): run {manage('migrate')}"
    return database_away.sentence(error)
