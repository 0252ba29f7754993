"""Restores a backup in one transaction: it is all there in the end, or nothing has changed.

Nothing of an archive passes through a shell such as psql: sql_script.py reads its rows, and running.py
runs its statements.
"""

from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import psycopg

from config.backups import files, manifest, pg_programs, replacing, running, server
from config.backups.dump import Tell
from config.backups.errors import BackupError, printable
from config.backups.files import Stamp
from config.backups.manifest import QUEUE, Manifest
from config.backups.pg_programs import Programs
from config.backups.running import Target
from config.backups.server import Server
from lib.manage_command import manage

_APP = "queueops"
_TIED = ("articles", "embedding_spaces")


@dataclass(frozen=True)
class Plan:
    """The effect of a restore: `rows` are added, `replaced` removed (both by table); `is_empty`: there is nothing to
    lose. `role` is who the archive's statements run as, and `stamp` the file that was checked."""

    archive: Path
    stamp: Stamp
    manifest: Manifest
    queue_only: bool
    rows: dict[str, int]
    replaced: dict[str, int]
    schema: str
    major: int
    role: str
    is_superuser: bool

    @property
    def taken(self) -> list[str]:
        """The tables that no other session may use meanwhile; for the queue alone also those that it is tied to."""
        return [*self.replaced, *(_TIED if self.queue_only else ())]

    @property
    def is_empty(self) -> bool:
        # the row of the state is created with its table, and alone it does not count
        return not any(
            number for name, number in self.replaced.items() if name != "queue_state" or not self.queue_only
        )


def plan(of: Server, named: Path, *, queue_only: bool = False) -> Plan:
    """Reads the backup's manifest and looks at the database; changes nothing. Raises BackupError."""
    archive = files.resolved(named)
    described, stamp = manifest.checked(archive)
    queue_only = queue_only or described.kind == QUEUE
    with of.connect() as session:
        present = server.tables(session)
        if queue_only:
            _demand_same_queue(described, server.migrations(session, present))
            present = [name for name in present if name in server.queue_tables()]
        schema, role, is_superuser = server.identity(session)
        rows = {n: k for n, k in described.rows.items() if not queue_only or n in server.queue_tables()}
        return Plan(
            archive=archive,
            stamp=stamp,
            manifest=described,
            queue_only=queue_only,
            rows=rows,
            replaced=server.count(session, present),
            schema=schema or "public",
            major=session.info.server_version // 10_000,
            role=role,
            is_superuser=is_superuser,
        )


def _demand_same_queue(described: Manifest, there: dict[str, str]) -> None:
    wanted = described.migrations.get(_APP)
    if wanted is None or not set(described.rows) & set(server.queue_tables()):
        raise BackupError("this backup contains no queue: it was made while the queue was not installed")
    if there.get(_APP) is None:
        raise BackupError(f"the queue is not installed: run {manage('migrate')}, then restore again")
    if there[_APP] != wanted:
        raise BackupError(
            f"the backup's queue is that of migration {wanted}, the database's that of {there[_APP]}: run "
            f"{manage(f'migrate {_APP} {wanted}')}, restore, then run {manage('migrate')}"
        )


def restore(of: Server, planned: Plan, tell: Tell = lambda step: None) -> None:
    """Executes a plan. `tell` is called with each table. Raises BackupError; then nothing has changed, unless it says
    so. Raises psycopg.Error if the database is unavailable."""
    uses = pg_programs.for_server(max(planned.major, planned.manifest.server))
    with files.opened(planned.archive) as file, of.connect() as session:
        try:
            if files.stamp(file) != planned.stamp:
                raise BackupError(f"{planned.archive} has changed since it was checked; restore it again")
            _replace(session, planned, uses, file, tell)
        except psycopg.Error as error:
            raise BackupError(f"nothing was changed: {_reason(error)}") from error
        except BackupError as error:
            raise BackupError(f"nothing was changed: {error}") from error
        _commit(session)


def _replace(session: psycopg.Connection, planned: Plan, uses: Programs, file: FileIO, tell: Tell) -> None:
    target = Target(session, planned.schema, planned.major)
    replacing.begin(target)
    settings = replacing.database_settings(target)
    replacing.lock(target, planned.taken)
    if planned.queue_only:
        with replacing.loosened(target, list(planned.rows)):
            running.load(target, uses, file, planned.rows, tell, queue_only=True)
            replacing.demand_rows(target, planned.rows)
    else:
        replacing.clear(target)
        running.run(target, uses, file, "pre-data")
        running.load(target, uses, file, planned.rows, tell, queue_only=False)
        running.run(target, uses, file, "post-data")
        replacing.demand_rows(target, planned.rows)
    if replacing.database_settings(target) != settings:
        raise BackupError(
            "the archive changes settings, limits or rights of the database or of its role, which a backup never does: "
            "it is not from this program"
        )


def _commit(session: psycopg.Connection) -> None:
    """Until here the server rolls everything back, whatever dies."""
    try:
        session.commit()
    except psycopg.Error as error:
        if session.broken:
            raise BackupError(
                "the connection was lost at the last step, so the backup may or may not be restored: compare the rows "
                "with restore --dry-run"
            ) from error
        raise BackupError(f"nothing was changed: {_reason(error)}") from error


def _reason(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
        return "the tables are in use; stop the workers and the web server, then restore again"
    said = printable(error.diag.message_primary or str(error))
    if "create extension" in said:
        return f"{said}: let a superuser run CREATE EXTENSION in this database once"
    return said
