"""`manage.py restore FILE`: restores a backup in one transaction, after counting what it replaces."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, transaction

from config.backups import dump, restore
from config.backups.errors import BackupError
from config.backups.restore import Plan
from config.backups.server import Server
from lib.manage_command import manage
from queueops.base import database_away
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.verb import ShellVerb, no_arguments
from queueops.models import AuditLog

_KEYS = ("file", "kind", "dry_run", "rows", "replaced", "backup", "operation")
_WARNING = "A whole backup is SQL that runs with the rights of that role: restore only a file that you trust."


class Command(BaseCommand):
    help = (
        "Restores a backup. Exits with 0 if restored, 2 if the database does not answer, 3 if refused and nothing was "
        "changed."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", type=Path, help=f"file written by {manage('backup')}, with its manifest beside it"
        )
        parser.add_argument(
            "--queue-only", action="store_true", help="only the queue's tables of a whole backup"
        )
        arguments.add_agreement(parser)
        parser.add_argument("--no-backup", action="store_true", help="do not back up the replaced rows first")
        parser.add_argument("--actor", default="", help="name for the audit log (default: your login name)")
        arguments.add_reason(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, file: Path, queue_only: bool, dry_run: bool, yes: bool, **options: Any) -> None:
        verb = ShellVerb("restore", self.help, lambda: None, no_arguments, _KEYS)
        console = Console(
            verb, self.stdout, actor=options["actor"], as_json=options["json"], no_color=options["no_color"]
        )
        server = Server.of_settings()
        try:
            planned = restore.plan(server, file, queue_only=queue_only)
            fields = {
                "file": str(file), "kind": "queue" if planned.queue_only else "whole", "dry_run": dry_run,
                "rows": planned.rows, "replaced": planned.replaced, "backup": None, "operation": None,
            }  # fmt: skip
            if not self._is_agreed(console, planned, server, yes=yes, dry_run=dry_run):
                console.print_result(fields)
                return
            kept = self._keep(console, planned, server, is_wanted=not options["no_backup"])
            with console.progress("Restoring", len(planned.rows)) as steps:
                restore.restore(server, planned, tell=lambda _: steps.advance())
        except (BackupError, Refused) as error:
            raise CommandError(str(error), returncode=Exit.REFUSED) from error
        except psycopg.Error as error:
            raise CommandError(database_away.sentence(error), returncode=Exit.TROUBLE) from error
        except KeyboardInterrupt as error:
            raise CommandError("stopped; nothing was changed", returncode=Exit.INTERRUPTED) from error
        operation = _write_down(console, planned, options["reason"] or f"restored from {file}")
        then = (
            ""
            if planned.queue_only
            else f" Run {manage('migrate')} in case the backup is from an older version."
        )
        console.print_result(
            fields | {"backup": str(kept) if kept else None, "operation": operation},
            f"Restored {sum(planned.rows.values()):,} rows of {len(planned.rows)} tables.{then}",
        )

    def _is_agreed(
        self, console: Console, planned: Plan, server: Server, *, yes: bool, dry_run: bool
    ) -> bool:
        made, role = planned.manifest, "superuser" if planned.is_superuser else "role"
        change = (
            f"restore {sum(planned.rows.values()):,} rows from {planned.archive}, made at {made.made_at} of the "
            f"database {made.database} (Postgres {made.server}), into the database {server.database} as the {role} "
            f"{planned.role}"
        )
        if not planned.is_empty:
            replaced = sum(planned.replaced.values())
            change += f" and replace the {replaced:,} rows that it has in {_named(planned.replaced)}"
        if not planned.queue_only:
            console.show(_WARNING)
        return console.agree(change, yes=yes or planned.is_empty, dry_run=dry_run)

    def _keep(self, console: Console, planned: Plan, server: Server, *, is_wanted: bool) -> Path | None:
        """Backs up the rows that will be replaced."""
        if planned.is_empty or not is_wanted:
            return None
        path = dump.make(server, settings.DATA_DIR / "backups", queue_only=planned.queue_only)
        console.show(f"The replaced rows are backed up in {path}")
        return path


def _write_down(console: Console, planned: Plan, reason: str) -> UUID | None:
    """Writes the audit row; returns the operation's id. The restored database may have no audit log, or an older one:
    that is printed, and the restore stays."""
    scope = {
        "verb": "restore", "file": str(planned.archive), "sha256": planned.manifest.sha256,
        "made_at": planned.manifest.made_at, "rows": planned.rows, "replaced": planned.replaced,
    }  # fmt: skip
    try:
        with transaction.atomic():
            return AuditLog.write_operation(
                "backup restored", actor=console.actor, reason=reason, scope=scope
            )
    except (DatabaseError, InterfaceError):
        console.show("Not in the audit log: the restored database has none that can be written to.")
        return None


def _named(rows: dict[str, int]) -> str:
    """The tables that have rows, largest first."""
    full = sorted((name for name, number in rows.items() if number), key=lambda name: -rows[name])
    more = f" and {len(full) - 5} more" if len(full) > 5 else ""
    return ", ".join(full[:5]) + more
