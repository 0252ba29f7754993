"""`manage.py export_articles`: writes every article as a line of JSON, for `import_articles --jsonl`."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import track

from articles.export import jsonl_lines
from articles.models import Article
from lib.private_files import replacing
from lib.visible_text import one_line


class Command(BaseCommand):
    help = "Writes every article as a line of JSON, to standard output or a file that appears when it is complete."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", metavar="FILE", help="where to write; standard output by default")

    def handle(self, *, output: str | None, **_options: Any) -> None:
        if output is None or output == "-":
            self._print()
            return
        try:
            count = self._write(Path(output))
        except OSError as error:
            raise CommandError(f"cannot write {one_line(output)}: {error.strerror}") from error
        self.stdout.write(f"{one_line(output)}: {count:,} articles")

    def _print(self) -> None:
        try:
            for line in jsonl_lines():
                self.stdout.write(line)
            self.stdout.flush()
        except BrokenPipeError:  # the reader has seen enough, as in `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _write(self, path: Path) -> int:
        """Writes for its owner alone; a half export is never taken for a whole one."""
        count = 0
        with replacing(path) as file:
            for line in self._with_bar():
                file.write(line.encode())
                count += 1
        return count

    def _with_bar(self) -> Iterable[str]:
        console = Console(stderr=True)
        total = Article.objects.count()
        quiet = not sys.stderr.isatty()
        return track(
            jsonl_lines(), "Exporting articles", total=total, console=console, transient=True, disable=quiet
        )
