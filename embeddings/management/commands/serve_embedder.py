"""`manage.py serve_embedder`: runs the local embedder."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from embeddings.embedder import command


class Command(BaseCommand):
    help = "Serves the local embedding model, all-MiniLM-L6-v2, on loopback in the OpenAI protocol."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        command.add_options(parser, settings.LOCAL_EMBEDDER_PORT)

    def handle(self, *, port: int, threads: int | None, **_: Any) -> None:
        raise CommandError(command.run(port, threads, self._say))

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
