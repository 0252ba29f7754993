"""The finding of `embed_check database` about the programs that back it up: an older pg_dump refuses a newer server."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from django.db import connection

from config.backups import pg_programs
from config.backups.errors import BackupError
from queueops.operate.checks.finding import Finding, ok, warn


def check() -> Iterator[Finding]:
    """One finding: the folder of the programs that fit the server, and whether those on PATH are too old."""
    connection.ensure_connection()
    major = connection.connection.info.server_version // 10_000
    try:
        fitting = pg_programs.for_server(major)
    except BackupError as error:
        yield warn("backup programs", str(error), "Until then the commands backup and restore fail.")
        return
    yield ok(
        "backup programs",
        f"pg_dump and pg_restore of Postgres {fitting.major} in {fitting.folder} fit the server ({major})"
        + _on_path(major),
    )


def _on_path(major: int) -> str:
    """The warning about the program that a shell starts."""
    found = shutil.which("pg_dump")
    version = pg_programs.version_in(Path(found).parent) if found else None
    return f"; pg_dump on PATH is {version} and refuses it" if version and version < major else ""
