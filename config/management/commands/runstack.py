"""Starts everything Vectorpress needs on one machine and keeps it running until Ctrl-C."""

import os
import sys
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.stack import disk_space
from config.stack.processes import StackError
from config.stack.up import up
from queueops.cli.frame.exit_codes import Exit


class Command(BaseCommand):
    help = "Runs Postgres, Valkey, the embedder, the workers and the web server under one supervisor."
    requires_system_checks = []  # the checks need a database that is not running yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--no-import", action="store_true", help="do not import the first corpus into an empty database"
        )

    def handle(self, *, no_import: bool, **_options: Any) -> None:
        os.chdir(settings.BASE_DIR)
        try:
            up(first_import=not no_import)
        except StackError as error:
            raise CommandError(str(error), returncode=Exit.TROUBLE) from None
        except OSError as error:
            raise CommandError(_sentence(error), returncode=Exit.TROUBLE) from None
        # Nothing is left to clean up, and shutting Django down costs a busy machine up to a second.
        with suppress(OSError):  # the output may be on a full disk
            sys.stdout.flush()
        os._exit(0)


def _sentence(error: OSError) -> str:
    """An unexpected error of the start, in one sentence."""
    if disk_space.is_missing(error):
        return disk_space.sentence(settings.DATA_DIR)
    place = f"{error.filename}: " if error.filename else ""
    return f"the start failed: {place}{error.strerror or type(error).__name__}"
