"""`manage.py serve_embedder`: runs the local embedder."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from embeddings.servers.local_embedder import command


class Command(BaseCommand):
    help = "Serves the local embedding model, all-MiniLM-L6-v2, to this machine in the OpenAI protocol."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        command.add_options(parser, "the installation's own, or LOCAL_EMBEDDER_PORT where that is set")

    def handle(self, *, socket: Path | None, port: int | None, threads: int | None, **_: Any) -> None:
        if socket is None and port is None:
            port = settings.LOCAL_EMBEDDER_PORT or None
            socket = None if port else settings.LOCAL_EMBEDDER_SOCKET
        secret = settings.LOCAL_EMBEDDER_SECRET
        raise CommandError(command.run(socket, port, secret, threads, self._say))

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
