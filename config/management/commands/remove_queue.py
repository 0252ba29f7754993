"""`manage.py remove_queue`: backs up the queue, stops it and drops its tables; everything else keeps working."""

import shlex
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, transaction

from config.backups import dump, server
from config.backups.errors import BackupError
from config.backups.server import Server
from embeddings.models import Space
from embeddings.storage import coverage
from lib.manage_command import manage
from queueops.base import database_away, installed
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.verb import ShellVerb, no_arguments
from queueops.models import AuditLog
from queueops.operate import controls

_KEYS = ("dry_run", "rows", "behind", "backup", "is_removed")


class Command(BaseCommand):
    help = (
        "Removes the queue: backs it up, stops it, and drops its tables. Exits with 0 if removed, 2 on an error, 3 if "
        "refused and nothing was changed."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--to", type=Path, metavar="FOLDER", help="folder of the backup (default: backups in DATA_DIR)"
        )
        parser.add_argument("--no-backup", action="store_true", help="do not back up the rows; they are lost")
        arguments.add_agreement(parser)
        parser.add_argument("--actor", default="", help="name for the audit log (default: your login name)")
        arguments.add_reason(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, yes: bool, dry_run: bool, **options: Any) -> None:
        verb = ShellVerb("remove_queue", self.help, lambda: None, no_arguments, _KEYS)
        console = Console(
            verb, self.stdout, actor=options["actor"], as_json=options["json"], no_color=options["no_color"]
        )
        self._has_begun = False
        try:
            self._remove(console, yes=yes, dry_run=dry_run, options=options)
        except Refused as error:
            raise CommandError(str(error), returncode=Exit.REFUSED) from error
        except BackupError as error:
            raise CommandError(f"nothing was changed: {error}", returncode=Exit.TROUBLE) from error
        except KeyboardInterrupt as error:
            back = f"run {manage('migrate')} and {manage('queue_admin start')} to restore the queue"
            said = f"stopped; {back if self._has_begun else 'nothing was changed'}"
            raise CommandError(said, returncode=Exit.INTERRUPTED) from error
        except (DatabaseError, InterfaceError, psycopg.Error) as error:
            if self._has_begun:
                said = f"not removed: {database_away.reason(error)}; run {manage('migrate')} to restore the queue"
            else:
                said = f"nothing was changed: {database_away.sentence(error)}"
            raise CommandError(said, returncode=Exit.TROUBLE) from error

    def _remove(self, console: Console, *, yes: bool, dry_run: bool, options: dict[str, Any]) -> None:
        fields: dict[str, Any] = {
            "dry_run": dry_run,
            "rows": {},
            "behind": 0,
            "backup": None,
            "is_removed": False,
        }
        if not installed.look():
            console.print_result(fields | {"is_removed": True}, "The queue is already removed.")
            return
        with Server.of_settings().connect() as session:
            fields["rows"] = server.count(session, server.queue_tables())
        space = Space.objects.serving()
        fields["behind"] = coverage.behind(space).count() if space else 0
        rows = sum(fields["rows"].values())
        rest = "which are lost" if options["no_backup"] else "after a backup"
        change = f"stop the queue and drop its {len(fields['rows'])} tables with {rows:,} rows, {rest}"
        if not console.agree(change, yes=yes, dry_run=dry_run):
            console.print_result(fields)
            return
        reason = options["reason"] or "the queue is being removed"
        _write_down(console, reason, fields["rows"])
        if not options["no_backup"]:
            folder = options["to"] or settings.DATA_DIR / "backups"
            fields["backup"] = str(dump.make(Server.of_settings(), folder, queue_only=True))
            console.show(f"The queue is backed up in {fields['backup']}")
        self._has_begun = True
        controls.emergency_stop(actor=console.actor, reason=reason)
        call_command("migrate", "queueops", "zero", interactive=False, verbosity=0)
        console.print_result(fields | {"is_removed": True}, *_summary(fields["backup"], fields["behind"]))


def _write_down(console: Console, reason: str, rows: dict[str, int]) -> None:
    """Before the backup, so that it contains this row: the audit log is dropped with the queue."""
    scope = {"verb": "remove_queue", "rows": rows}
    with transaction.atomic():
        AuditLog.write_operation("removal of the queue", actor=console.actor, reason=reason, scope=scope)


def _summary(backup: str | None, behind: int) -> list[str]:
    rows = f" and their rows: {manage(f'restore {shlex.quote(backup)} --yes')}" if backup else ""
    left = f" {behind:,} articles are found only by words until they are saved again." if behind else ""
    return [
        f"The queue is removed. Articles, search and pages keep working; a save embeds in its request.{left}",
        f"To restore its tables: {manage('migrate')}{rows}; then start the workers.",
    ]
