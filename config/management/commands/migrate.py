"""Django's `migrate`, after a look at the server: what it cannot do is found before the first table is made."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS

from queueops.cli.frame.exit_codes import Exit
from queueops.operate.checks import server


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError with each thing that is in the way, and how to mend it."""
        if options["database"] == DEFAULT_DB_ALIAS and (found := server.obstacles()):
            raise CommandError("\n".join(["nothing was migrated.", *found]), returncode=Exit.TROUBLE)
        super().handle(*args, **options)
