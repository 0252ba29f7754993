"""Finds pg_dump, pg_restore and psql that fit a server: Postgres' programs refuse one that is newer than they are."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from config.backups.problems import BackupError
from config.stack.binaries import postgres_bin_dir
from config.stack.processes import StackError

_NEEDED = ("pg_dump", "pg_restore", "psql")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


class Programs(NamedTuple):
    """A folder with the programs, and their major version."""

    folder: Path
    major: int

    def path(self, name: str) -> str:
        return str(self.folder / name)


def for_server(major: int) -> Programs:
    """The programs nearest to a server of this major version, none of them older. Raises BackupError."""
    found = [programs for folder in _folders() if (programs := _in(folder))]
    fitting = [programs for programs in found if programs.major >= major]
    if fitting:
        return min(fitting, key=lambda programs: programs.major)
    have = f"those found are of {max(programs.major for programs in found)}" if found else "none were found"
    raise BackupError(
        f"the server is Postgres {major}, and a backup needs pg_dump, pg_restore and psql of {major} or newer, "
        f"but {have}: install Postgres' client programs, or set POSTGRES_BIN_DIR to their folder"
    )


def _folders() -> Iterator[Path]:
    """Where to look: POSTGRES_BIN_DIR alone, or PATH, if the server is not ours, and where the embedded server is."""
    if explicit := os.environ.get("POSTGRES_BIN_DIR"):
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
