"""`manage.py backup`: the whole database or the queue's tables in one file, read back to verify it."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.backups import dump, manifest, pg_programs
from config.backups.errors import BackupError
from config.backups.server import Server
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit
from queueops.cli.frame.verb import ShellVerb, no_arguments

_KEYS = ("file", "kind", "bytes", "rows", "seconds", "program")


class Command(BaseCommand):
    help = "Backs up the database. Exits with 0 if the backup was written and read back, else with 2."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queue-only", action="store_true", help="only the queue's tables")
        parser.add_argument(
            "--to", type=Path, metavar="FOLDER", help="target folder (default: backups in DATA_DIR)"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, queue_only: bool, to: Path | None, json: bool, **options: Any) -> None:
        verb = ShellVerb("backup", self.help, lambda: None, no_arguments, _KEYS)
        console = Console(verb, self.stdout, actor="", as_json=json, no_color=options["no_color"])
        began = time.monotonic()
        try:
            with console.progress("Backing up") as steps:
                path = dump.make(
                    Server.of_settings(),
                    to or settings.DATA_DIR / "backups",
                    queue_only=queue_only,
                    tell=lambda _: steps.advance(),
                )
            made = manifest.read(path)
        except BackupError as error:
            raise CommandError(str(error), returncode=Exit.TROUBLE) from error
        except KeyboardInterrupt as error:
            raise CommandError("stopped; no backup was made", returncode=Exit.INTERRUPTED) from error
        program = pg_programs.for_server(made.server).path("pg_dump")
        seconds = time.monotonic() - began
        console.print_result(
            {
                "file": str(path),
                "kind": made.kind,
                "bytes": made.bytes,
                "rows": made.rows,
                "seconds": round(seconds, 3),
                "program": program,
            },
            f"Written by {program}, for Postgres {made.server}.",
            f"Backed up {made.total:,} rows of {len(made.rows)} tables in {seconds:.1f} s, and read them back: {path}",
        )
