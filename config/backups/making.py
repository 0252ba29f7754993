"""Makes a backup: one snapshot of the database, read back row by row before it gets its name."""

import os
import subprocess
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from django.conf import settings
from psycopg import IsolationLevel

from config.backups import manifest, programs, script, server
from config.backups.manifest import QUEUE, WHOLE, Manifest
from config.backups.problems import BackupError
from config.backups.programs import Programs
from config.backups.server import Server
from config.instance import give_path

type Tell = Callable[[str], None]

_LOCK_WAIT = "--lock-wait-timeout=30s"


def make(of: Server, folder: Path, *, queue_only: bool = False, tell: Tell = lambda step: None) -> Path:
    """Writes a backup into a folder and answers its path; a manifest lies beside it. `tell` hears of each step.

    The rows in the file are counted and compared with those of the database, at the moment of the backup. Raises
    BackupError; then nothing is left behind.
    """
    if not folder.exists():
        folder.mkdir(parents=True, mode=0o700)
        _give(folder)
    try:
        with of.connect() as session:
            session.isolation_level = IsolationLevel.REPEATABLE_READ
            session.read_only = True
            return _make(of, session, folder, queue_only, tell)
    except psycopg.Error as error:
        raise BackupError(f"the database does not answer: {str(error).strip()}") from error


def _make(of: Server, session: psycopg.Connection, folder: Path, queue_only: bool, tell: Tell) -> Path:
    present = server.tables(session)
    wanted = [name for name in present if name in server.queue_tables()] if queue_only else present
    if not wanted:
        raise BackupError("there is nothing to back up: the tables are not in the database")
    rows = server.count(session, wanted)
    major = session.info.server_version // 10_000
    uses = programs.for_server(major)
    kind = QUEUE if queue_only else WHOLE
    made_at = datetime.now(UTC)
    archive = folder / f"{of.database}-{kind}-{made_at:%Y%m%d-%H%M%S}.dump"
    partial = archive.with_name(archive.name + ".partial")
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _dump(of, session, uses, partial, wanted if queue_only else [], tell)
        tell("reading it back")
        _verify(uses, partial, rows)
        described = Manifest(
            file=archive.name,
            sha256=manifest.digest(partial),
            bytes=partial.stat().st_size,
            kind=kind,
            made_at=made_at.isoformat(timespec="seconds"),
            database=of.database,
            server=major,
            migrations=server.migrations(session, present),
            rows=rows,
        )
        partial.rename(archive)
        described.write(archive)
        _give(archive, manifest.beside(archive))
    except FileExistsError:
        raise BackupError(f"another backup is being written to {partial}") from None
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return archive


def _give(*made: Path) -> None:
    """What root makes in the data folder belongs to the folder's owner, who restores it as well."""
    for path in made:
        if path.is_relative_to(settings.DATA_DIR):
            give_path(path)


def _dump(
    of: Server, session: psycopg.Connection, uses: Programs, to: Path, only: Iterable[str], tell: Tell
) -> None:
    found = session.execute("SELECT pg_export_snapshot(), current_schema()").fetchone()
    assert found
    snapshot, schema = found
    words = [
        *[
            uses.path("pg_dump"),
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            "--no-password",
            "--verbose",
        ],
        *[_LOCK_WAIT, f"--snapshot={snapshot}", f"--file={to}"],
        *(f"--table={schema}.{name}" for name in only),
    ]
    with subprocess.Popen(
        words, env=os.environ | of.environment(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        said = ""
        for line in process.stderr:
            said = line.strip() if "error:" in line else said
            if "dumping contents of table" in line:
                tell(line.strip().rpartition(".")[2].strip('"'))
    if process.returncode:
        raise BackupError(f"pg_dump did not finish: {said or f'it exited with {process.returncode}'}")


def _verify(uses: Programs, archive: Path, rows: dict[str, int]) -> None:
    """Reads every row back and compares their numbers."""
    words = [uses.path("pg_restore"), "--data-only", "--file=-", str(archive)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        found = script.rows(process.stdout)
        said = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise BackupError(f"the backup cannot be read back: {said}")
    if wrong := [name for name, number in rows.items() if found[name] != number]:
        name = wrong[0]
        raise BackupError(
            f"the backup has {found[name]:,} rows of {name}, and the database {rows[name]:,}; try again"
        )
