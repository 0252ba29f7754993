"""Makes a backup: one snapshot of the database, read back row by row before it gets its name."""

import os
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from io import FileIO
from itertools import chain, count
from pathlib import Path

import psycopg
from django.conf import settings
from psycopg import IsolationLevel

from config.backups import files, manifest, manifest_fields, pg_programs, server, sql_script
from config.backups.errors import BackupError
from config.backups.manifest import QUEUE, WHOLE, Manifest
from config.backups.pg_programs import Programs
from config.backups.server import Server
from config.secrets_on_disk import give_path
from queueops.base import database_away

type Tell = Callable[[str], None]

_LOCK_WAIT = "--lock-wait-timeout=30s"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")


def make(of: Server, folder: Path, *, queue_only: bool = False, tell: Tell = lambda step: None) -> Path:
    """Writes a backup and its manifest into a folder and returns its path. `tell` is called at each step.

    The rows in the file are counted and compared with those of the database, at the moment of the backup. Raises
    BackupError; then nothing is left behind.
    """
    try:
        with of.connect() as session:
            if not folder.exists():
                folder.mkdir(parents=True, mode=0o700)
                _give(folder)
            session.isolation_level = IsolationLevel.REPEATABLE_READ
            session.read_only = True
            return _make(of, session, folder, queue_only, tell)
    except psycopg.Error as error:
        raise BackupError(database_away.sentence(error)) from error
    except OSError as error:
        raise BackupError(f"the backup cannot be written to {folder}: {error.strerror}") from error


def _make(of: Server, session: psycopg.Connection, folder: Path, queue_only: bool, tell: Tell) -> Path:
    present = server.tables(session)
    wanted = [name for name in present if name in server.queue_tables()] if queue_only else present
    _demand_plain(wanted)
    rows = server.count(session, wanted)
    major = session.info.server_version // 10_000
    uses = pg_programs.for_server(major)
    kind = QUEUE if queue_only else WHOLE
    made_at = datetime.now(UTC)
    database = _NOT_IN_NAMES.sub("_", of.database) or "database"
    archive = _free(folder, f"{database}-{kind}-{made_at:%Y%m%d-%H%M%S}")
    partial = archive.with_name(archive.name + ".partial")
    with _new(partial, archive) as file:
        try:
            schema = _dump(of, session, uses, file, wanted if queue_only else [], tell)
            tell("reading it back")
            _verify(uses, file, schema, rows)
            os.fsync(file.fileno())
            described = Manifest(
                file=archive.name,
                sha256=manifest.digest(file),
                bytes=files.stamp(file).size,
                kind=kind,
                made_at=made_at.isoformat(timespec="seconds"),
                database="".join(char if char.isprintable() else "?" for char in of.database)[:63],
                server=major,
                migrations=server.migrations(session, present),
                rows=rows,
            )
            os.link(partial, archive)  # a rename would replace another backup
            partial.unlink()
            described.write(archive)
            _give(archive, manifest.beside(archive))
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    return archive


def _free(folder: Path, stem: str) -> Path:
    """A path that no backup has: a restore may back up what it replaces in the second in which its own was made."""
    numbered = (f"{stem}-{number}" for number in count(2))
    return next(path for name in chain([stem], numbered) if not (path := folder / f"{name}.dump").exists())


def _give(*made: Path) -> None:
    """Files of root in the data folder belong to the folder's owner, who restores them as well."""
    for path in made:
        if path.is_relative_to(settings.DATA_DIR):
            give_path(path)


def _demand_plain(tables: list[str]) -> None:
    if not tables:
        raise BackupError("there is nothing to back up: the tables are not in the database")
    for name in tables:
        if not manifest_fields.TABLE.fullmatch(name):
            raise BackupError(
                f"the table {manifest_fields.shown(name)} cannot be backed up: expected a name of A-Z, a-z, 0-9 and _ "
                "only; rename it, or move it to another schema"
            )


def _new(partial: Path, archive: Path) -> FileIO:
    try:
        return files.created(partial)
    except FileExistsError:
        raise BackupError(f"another backup is being written to {partial}") from None


def _dump(
    of: Server, session: psycopg.Connection, uses: Programs, to: FileIO, only: Iterable[str], tell: Tell
) -> str:
    """Dumps the session's snapshot and returns the schema whose tables it counts."""
    found = session.execute("SELECT pg_export_snapshot(), current_schema()").fetchone()
    assert found
    snapshot, schema = found
    quoted = str(schema).replace('"', '""')  # in quotes, nothing of a name is a pattern
    words = [_LOCK_WAIT, f"--snapshot={snapshot}", *(f'--table="{quoted}"."{name}"' for name in only)]
    uses.dump(to, *words, environment=of.environment(), tell=tell)
    return str(schema)


def _verify(uses: Programs, archive: FileIO, schema: str, rows: dict[str, int]) -> None:
    """Reads every row back and compares their numbers."""
    try:
        with uses.section(archive, "data") as section:
            found = sql_script.count(section, schema)
    except BackupError as error:
        raise BackupError(f"the backup cannot be read back: {error}") from error
    if wrong := [name for name, number in rows.items() if found[name] != number]:
        name = wrong[0]
        raise BackupError(
            f"the backup has {found[name]:,} rows of {name}, and the database {rows[name]:,}; try again"
        )
