"""The base of the commands for accounts and tokens: a reason, a confirmation, and errors in one sentence."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from queueops.base import database_away
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.verb import ShellVerb, no_arguments
from queueops.models.audit import ReasonMissing, needed_reason, tidy_reason


class AccountCommand(BaseCommand):
    """Subclasses have `name`, `keys` (of the JSON object) and `run`."""

    name: str
    keys: tuple[str, ...]
    needs_reason = True
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        arguments.add_agreement(parser)
        arguments.add_reason(parser)
        parser.add_argument("--actor", default="", help="name for the audit log (default: your login name)")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, reason: str, actor: str, json: bool, **options: Any) -> None:
        verb = ShellVerb(self.name, self.help, lambda: None, no_arguments, self.keys)
        console = Console(verb, self.stdout, actor=actor, as_json=json, no_color=options["no_color"])
        try:
            self.run(console, needed_reason(reason) if self.needs_reason else tidy_reason(reason), options)
        except Refused as error:
            raise CommandError(str(error), returncode=error.exit) from error
        except ReasonMissing as error:
            raise CommandError(f"{error}: add --reason WHY", returncode=Exit.REFUSED) from error
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(database_away.sentence(error), returncode=Exit.TROUBLE) from error

    def run(self, console: Console, reason: str, options: dict[str, Any]) -> None:
        """Makes the change. Raises Refused."""
        raise NotImplementedError


def person_named(name: str) -> User:
    """The account of this name. Raises Refused."""
    user = None if "\x00" in name else User.objects.filter(username=name).first()
    if user is None:
        raise Refused(f"unknown account {name[:150]!r}; names are case-sensitive. Nothing was changed")
    return user
