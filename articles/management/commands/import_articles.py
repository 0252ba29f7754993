"""`manage.py import_articles`: brings articles in from a file, a folder or Python's own documentation."""

import json
import sys
import time
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from articles import limits
from articles.importing.batches import run
from articles.importing.csv_source import open_csv
from articles.importing.entries import RefusedEntry, Source, SourceUnreadable
from articles.importing.identity import Origin
from articles.importing.jsonl_source import open_jsonl
from articles.importing.markdown_source import open_markdown
from articles.importing.pydoc_source import open_pydoc
from articles.importing.summary import Summary
from lib.visible_text import one_line

_MAX_BATCH_SIZE = 5_000
# Exit codes; 1: some entries were refused.
_UNREADABLE = 2
_FAILED = 3
_INTERRUPTED = 130
_GO_ON = "Batches written before that are kept; import the same source again to continue."


class Command(BaseCommand):
    help = (
        "Imports articles in batches, each in its own transaction. They are matched by their file's path, their id "
        "or their slug (made from the title where there is none): equal ones are left alone, changed ones updated, "
        "with their history kept. Exits with 0 when all were imported, 1 when some were refused, 2 when the source "
        "cannot be read, 3 when the database stopped it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        _add_sources(parser)
        parser.add_argument(
            "--batch-size",
            type=_batch_size,
            default=500,
            metavar="N",
            help="articles a transaction (default: 500)",
        )
        parser.add_argument("--author", default="", help="who is named as author of the versions written")
        parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")

    def handle(self, **options: Any) -> None:
        if options["follow_links"] and options["markdown"] is None:
            raise CommandError("--follow-links goes with --markdown", returncode=_UNREADABLE)
        if len(options["author"]) > limits.MAX_AUTHOR:
            raise CommandError(
                f"--author is longer than {limits.MAX_AUTHOR} characters", returncode=_UNREADABLE
            )
        if len(options["source"]) > limits.MAX_SOURCE:
            raise CommandError(
                f"--source is longer than {limits.MAX_SOURCE} characters", returncode=_UNREADABLE
            )
        started = time.monotonic()
        self._name_pipe(options["jsonl"] or options["csv"])
        try:
            source = _open(options)
            summary = self._import(source, options["batch_size"], options["author"], _origin(options))
        except (SourceUnreadable, OSError) as error:
            raise CommandError(one_line(str(error)), returncode=_UNREADABLE) from error
        except KeyboardInterrupt as error:
            raise CommandError(f"stopped. {_GO_ON}", returncode=_INTERRUPTED) from error
        except DatabaseError as error:
            reason = str(error).partition("\n")[0]
            raise CommandError(
                f"the database stopped the import: {reason}. {_GO_ON}", returncode=_FAILED
            ) from error
        self._report(source.name, summary, time.monotonic() - started, as_json=options["json"])
        if summary.refused:
            sys.exit(1)

    def _name_pipe(self, path: str | None) -> None:
        """Opening a pipe waits for its writer, however long that takes."""
        try:
            is_pipe = path is not None and path != "-" and Path(path).is_fifo()
        except ValueError:  # a name with a NUL: opening it says so
            return
        if is_pipe:
            self.stderr.write(f"{one_line(str(path))} is a pipe: reading what another program writes to it")

    def _import(self, source: Source, batch_size: int, author: str, origin: Origin) -> Summary:
        summary = Summary()
        with _progress() as bar:
            task = bar.add_task(f"Importing {one_line(source.name)}", total=source.total, done="")
            for step in run(source, batch_size, author, origin):
                summary.add(step.result)
                for refusal in step.result.refusals:
                    self._print_refusal(refusal, bar)
                bar.update(task, completed=step.position, done=f"{summary.accepted:,} articles")
        return summary

    def _print_refusal(self, refusal: RefusedEntry, bar: Progress) -> None:
        if bar.disable:
            self.stderr.write(str(refusal))
        else:
            bar.console.print(Text(str(refusal), style="red"), soft_wrap=True)

    def _report(self, name: str, summary: Summary, seconds: float, *, as_json: bool) -> None:
        if as_json:
            fields = {"source": name, **summary.as_dict(), "seconds": round(seconds, 3)}
            self.stdout.write(json.dumps(fields))
        else:
            self.stdout.write(f"{one_line(name)}: {summary} ({seconds:.1f} s)")


def _add_sources(parser: CommandParser) -> None:
    """What is read, how, and what identifies its entries."""
    one = parser.add_mutually_exclusive_group(required=True)
    one.add_argument("--pydoc", action="store_true", help="the documentation of Python's standard library")
    one.add_argument("--markdown", metavar="DIR", help="a folder of .md files, front matter understood")
    one.add_argument("--jsonl", metavar="FILE", help="one JSON object a line; - reads standard input")
    one.add_argument("--csv", metavar="FILE", help="columns title, content, slug; others become metadata")
    parser.add_argument(
        "--follow-links",
        action="store_true",
        help="with --markdown: also read what links in the folder point to, wherever that is",
    )
    parser.add_argument(
        "--source",
        default="",
        metavar="NAME",
        help="what the folder or file is known as from one import to the next (default: its name)",
    )
    parser.add_argument(
        "--id-field",
        metavar="NAME",
        help="the column (default: id), or with --markdown the name in front matter, that identifies an article",
    )
    parser.add_argument(
        "--encoding",
        type=_encoding,
        metavar="NAME",
        help="of the files, for instance windows-1252 (default: UTF-8, or UTF-16 by its mark)",
    )


def _open(options: dict[str, Any]) -> Source:
    if options["pydoc"]:
        return open_pydoc()
    if options["markdown"] is not None:
        return open_markdown(
            options["markdown"],
            follow_links=options["follow_links"],
            encoding=options["encoding"],
            id_field=options["id_field"],
        )
    if options["jsonl"] is not None:
        return open_jsonl(options["jsonl"], options["encoding"])
    return open_csv(options["csv"], options["encoding"], options["id_field"] or "id")


def _origin(options: dict[str, Any]) -> Origin:
    """The source's name and place; none for standard input and pipes, which have neither."""
    path = Path(options["markdown"] or options["jsonl"] or options["csv"] or "-").resolve()
    name = path.name if path.is_dir() or path.is_file() else ""
    return Origin(options["source"] or name[: limits.MAX_SOURCE], str(path), bool(options["source"]))


def _progress() -> Progress:
    """A bar on a terminal that is gone at the end; nothing elsewhere."""
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(),
        TextColumn("{task.fields[done]}"), TimeRemainingColumn(),
    )  # fmt: skip
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError as error:
        raise ArgumentTypeError(
            f"{name!r} is not an encoding; for instance windows-1252 or utf-16-le"
        ) from error
    return name


def _batch_size(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_BATCH_SIZE:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {_MAX_BATCH_SIZE:,}")
    return int(text)
