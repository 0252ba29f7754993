"""`manage.py serve_fake_provider`: runs the fault-injecting provider."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from embeddings.servers.fake_provider import command


class Command(BaseCommand):
    help = "Serves a deterministic, fault-injecting embedding provider on loopback (OpenAI and Ollama protocols)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        command.add_options(parser)

    def handle(self, **options: Any) -> None:
        if reason := command.run(options, self._say):
            raise CommandError(reason)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
