"""Verbs that export tasks to JSON lines, and import such a file."""

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import IO, cast

from lib.private_files import replacing
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.models import Task
from queueops.operate.transfer import jsonl
from queueops.operate.transfer.file_format import FileRefused
from queueops.operate.transfer.jsonl import Export, Imported, Verified

family = VerbGroup("Export and import")


def _export_arguments(parser: Options) -> None:
    parser.add_argument("--output", metavar="FILE", help="file to write (default: standard output)")
    parser.add_argument(
        "--yes", "--confirm", "--force", dest="yes", action="store_true", help="replace FILE if it exists"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be written; write nothing")


@family.verb(
    "export",
    "write every task as a line of JSON, with a checksum at the end",
    arguments=_export_arguments,
    keys=("dry_run", "file", "tasks", "sha256"),
)
def export(console: Console, *, output: str | None, yes: bool, dry_run: bool) -> None:
    made = Export()
    if dry_run:
        tasks = Task.objects.count()
        console.agree(f"write {tasks:,} tasks to {output or 'standard output'}", yes=yes, dry_run=True)
        console.print_result({"dry_run": True, "file": output, "tasks": tasks, "sha256": None})
        return
    if output is None or output == "-":
        for line in made:
            console.stdout.write(line.decode())
        return
    if Path(output).is_file():
        console.agree(f"replace {output}", yes=yes, dry_run=False)
    try:
        _write(Path(output), made, console)
    except OSError as error:
        raise Refused(f"cannot write {output}: {error.strerror}") from error
    console.print_result(
        {"dry_run": False, "file": output, "tasks": made.tasks, "sha256": made.sha256},
        f"{output}: {made.tasks:,} tasks",
    )


def _write(path: Path, made: Export, console: Console) -> None:
    """Writes a file that only its owner can read: error messages may quote articles."""
    with replacing(path) as file, console.progress("Exporting tasks") as steps:
        for line in made:
            file.write(line)
            steps.advance()


def _import_arguments(parser: Options) -> None:
    parser.add_argument("file", metavar="FILE", help="file that export wrote; - reads standard input")
    arguments.add_agreement(parser)
    arguments.add_reason(parser)


@family.verb(
    "import",
    "import tasks from an export; a damaged file is refused as a whole",
    arguments=_import_arguments,
    keys=("file", "dry_run", *Imported.__dataclass_fields__, "operation"),
)
def import_tasks(console: Console, *, file: str, yes: bool, dry_run: bool, reason: str) -> Exit | None:
    fields = {"file": file, "dry_run": dry_run, "operation": None}
    with _opened(file) as opened:
        verified = _verified(opened, file)
        change = f"import {verified.tasks:,} tasks as of {verified.exported_at:%Y-%m-%d %H:%M} UTC"
        expected = Imported(read=verified.tasks)
        if dry_run or (not yes and console.can_ask):
            expected = _rehearse(console, opened, verified)
            change += f": {expected.added:,} added, {expected.present:,} already present, {expected.left_out:,} skipped"
        if not console.agree(change, yes=yes, dry_run=dry_run):
            console.print_result(fields | asdict(expected), *_skipped(expected))
            return None
        imported, operation = _load(console, opened, verified, reason or f"import of {file}")
    console.print_result(fields | asdict(imported) | {"operation": operation}, *_summary(imported, operation))
    return Exit.PARTLY if imported.left_out else None


def _verified(opened: IO[bytes], name: str) -> Verified:
    try:
        return jsonl.verify(opened)
    except FileRefused as error:
        raise Refused(f"{name} is refused: {error}. Nothing was imported") from error


def _rehearse(console: Console, file: IO[bytes], verified: Verified) -> Imported:
    """The result the import would have."""
    expected = Imported()
    with console.progress("Comparing tasks", verified.tasks) as steps:
        for batch in jsonl.rehearse(file, verified):
            expected += batch
            steps.advance(batch.read)
    return expected


def _load(console: Console, file: IO[bytes], verified: Verified, reason: str) -> tuple[Imported, object]:
    """Imports batch after batch; an interrupted import is in the audit log too."""
    imported, operation = Imported(), None
    try:
        with console.progress("Importing tasks", verified.tasks) as steps:
            for batch in jsonl.load(file, verified):
                imported += batch
                steps.advance(batch.read)
    finally:
        operation = jsonl.note(imported, verified, actor=console.actor, reason=reason)
    return imported, operation


def _summary(imported: Imported, operation: object) -> Iterator[str]:
    yield f"{imported.added:,} tasks added, {imported.present:,} already present (operation {operation})."
    yield from _skipped(imported)


def _skipped(imported: Imported) -> Iterator[str]:
    if imported.waiting:
        yield f"{imported.waiting:,} skipped: another task of their article is pending."
    if imported.without_article:
        yield f"{imported.without_article:,} skipped: their article does not exist here."
    if imported.without_space:
        yield f"{imported.without_space:,} skipped: their embedding space does not exist here."


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    """The file; a copy of standard input or a pipe, which can be read only once."""
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            if name != "-" and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                yield file
                return
            with tempfile.TemporaryFile() as copy:
                shutil.copyfileobj(file, copy)
                copy.seek(0)
                yield cast(IO[bytes], copy)
    except OSError as error:
        raise Refused(f"cannot read {name}: {error.strerror}") from error
