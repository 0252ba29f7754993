"""Finds and runs pg_dump and pg_restore that fit a server: Postgres' programs refuse one that is newer than they are.

Archives reach them as an open file, so no path of one is a word of a command line.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import IO, NamedTuple

from django.conf import settings

from config import env
from config.backups.errors import BackupError, printable
from config.stack.binaries import postgres_bin_dir
from config.stack.processes import StackError

_NEEDED = ("pg_dump", "pg_restore")
_DUMP = ("--format=custom", "--no-owner", "--no-privileges", "--no-password", "--no-sync", "--verbose")
_RESTORE = ("--format=custom", "--file=-", "--no-owner", "--no-privileges", "--no-comments")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_PIPE = 1024 * 1024
_OUR_MESSAGES = {"LC_ALL": "C"}  # progress and errors are found by pg_dump's English words


class Programs(NamedTuple):
    """A folder with the programs, and their major version."""

    folder: Path
    major: int

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def dump(
        self,
        archive: FileIO,
        *words: str,
        environment: Mapping[str, str],
        tell: Callable[[str], None],
    ) -> None:
        """Writes an archive of pg_dump's custom format to an open file. `tell` is called with the name of each table.
        Raises BackupError."""
        number = archive.fileno()
        with subprocess.Popen(
            # to its output it would append the archive's contents again instead of updating them
            [self.path("pg_dump"), *_DUMP, f"--file=/dev/fd/{number}", *words],
            env=os.environ | environment | _OUR_MESSAGES,
            pass_fds=[number],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        ) as process:
            assert process.stderr
            said = ""
            for line in process.stderr:
                said = line if "error:" in line else said
                if "dumping contents of table" in line:
                    tell(line.strip().rpartition(".")[2].strip('"'))
        if process.returncode:
            reason = printable(said) or f"it exited with {process.returncode}"
            raise BackupError(f"pg_dump did not finish: {reason}")

    @contextmanager
    def section(self, archive: FileIO, name: str, *words: str) -> Iterator[IO[bytes]]:
        """The output of pg_restore for a section of an archive: pre-data, data or post-data. Raises BackupError where
        it cannot be read to its end."""
        archive.seek(0)
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(
                [self.path("pg_restore"), *_RESTORE, f"--section={name}", *words],
                env=os.environ | _OUR_MESSAGES,
                stdin=archive,
                stdout=subprocess.PIPE,
                stderr=said,
                bufsize=_PIPE,
            ) as process,
        ):
            assert process.stdout
            try:
                yield process.stdout
            except BaseException:
                process.kill()
                raise
            process.stdout.close()
            if process.wait():
                said.seek(0)
                reason = printable(said.read(2_000).decode(errors="replace"))
                raise BackupError(
                    f"the archive cannot be read: {reason or f'pg_restore exited with {process.returncode}'}"
                )


def for_server(major: int) -> Programs:
    """The programs nearest to a server of this major version, none of them older. Raises BackupError."""
    found = [programs for folder in _folders() if (programs := _in(folder))]
    fitting = [programs for programs in found if programs.major >= major]
    if fitting:
        return min(fitting, key=lambda programs: programs.major)
    have = f"those found are of {max(programs.major for programs in found)}" if found else "none were found"
    raise BackupError(
        f"the server is Postgres {major}, and a backup needs pg_dump and pg_restore of {major} or newer, "
        f"but {have}: install Postgres' client programs, or set POSTGRES_BIN_DIR to their folder"
    )


def version_in(folder: Path) -> int | None:
    """The major version of the programs in a folder; None if they are not there or do not run."""
    found = _in(folder)
    return found.major if found else None


def _folders() -> Iterator[Path]:
    """Folders to search: POSTGRES_BIN_DIR alone, or PATH, if the server is not ours, and where the embedded server
    is."""
    if explicit := env.text("POSTGRES_BIN_DIR"):
        yield Path(explicit)
        return
    if not settings.DATABASE_EMBEDDED and (installed := shutil.which("pg_dump")):
        yield Path(installed).parent  # a link is not followed: some systems choose the version by its name
    with suppress(StackError):
        yield postgres_bin_dir()


def _in(folder: Path) -> Programs | None:
    if not all((folder / name).exists() for name in _NEEDED):
        return None
    try:
        said = subprocess.run(
            [folder / "pg_dump", "--version"], capture_output=True, text=True, check=False, timeout=30
        ).stdout
    except OSError:
        return None
    version = _VERSION.search(said)
    return Programs(folder, int(version[1])) if version else None
