"""Restores a backup in one transaction: it is all there in the end, or nothing has changed."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config.backups import manifest, programs, script, server
from config.backups.making import Tell
from config.backups.manifest import QUEUE, Manifest
from config.backups.problems import BackupError
from config.backups.server import Server

_APP = "queueops"
_TIED = ("articles", "embedding_spaces")
_BEGIN = "BEGIN;\nSET client_min_messages = warning;\n"
# All tables are taken together or given back within half a second, so that nobody who goes on working waits for longer
# or is the victim of a deadlock.
_LOCK = """
DO $lock$
BEGIN
    PERFORM set_config('lock_timeout', '500ms', true);
    FOR attempt IN 1..{attempts} LOOP
        BEGIN
            LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            IF attempt = {attempts} THEN RAISE; END IF;
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
END $lock$;
"""
_ATTEMPTS = 60
# Programs of Postgres 17 and newer write this for servers that do not know it yet.
_FROM_17 = b"SET transaction_timeout"
_EMPTY_SCHEMA = """
DO $clear$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT format('%I.%I', n.nspname, c.relname) AS name,
               CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                              ELSE 'TABLE' END AS kind
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('e', 'i'))
        ORDER BY c.relkind = 'S'
    LOOP
        EXECUTE format('DROP %s IF EXISTS %s CASCADE', found.kind, found.name);
    END LOOP;
    FOR found IN
        SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', found.name);
    END LOOP;
END $clear$;
"""
# An article or space that is gone takes its tasks along: what refers to it is left out, and the rules hold again.
_LOOSEN = """
CREATE TEMP TABLE loosened ON COMMIT DROP AS
SELECT c.conrelid::regclass::text AS owner, c.conname AS name, pg_get_constraintdef(c.oid) AS definition,
       c.confrelid::regclass::text AS target, a.attname AS reference
FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype = 'f' AND c.conrelid = ANY (ARRAY[{tables}]::regclass[])
  AND c.confrelid <> ALL (ARRAY[{tables}]::regclass[]);
DO $loosen$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT * FROM loosened LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.owner, found.name);
    END LOOP;
END $loosen$;
TRUNCATE {names};
"""
_TIGHTEN = """
SET search_path = {schema};
DO $tighten$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT * FROM pg_temp.loosened LOOP
        EXECUTE format('DELETE FROM %1$s owner WHERE owner.%2$I IS NOT NULL AND NOT EXISTS '
                       '(SELECT FROM %3$s target WHERE target.id = owner.%2$I)',
                       found.owner, found.reference, found.target);
        EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', found.owner, found.name, found.definition);
    END LOOP;
END $tighten$;
"""
_CHECK = """
DO $check$ BEGIN
    IF (SELECT count(*) FROM {name}) <> {number} THEN RAISE EXCEPTION 'not all rows of {name} arrived'; END IF;
END $check$;
"""


@dataclass(frozen=True)
class Plan:
    """What a restore would do: `rows` come, `replaced` go (both by table); `is_empty`: there is nothing to lose."""

    archive: Path
    manifest: Manifest
    queue_only: bool
    rows: dict[str, int]
    replaced: dict[str, int]
    schema: str
    major: int

    @property
    def taken(self) -> list[str]:
        """The tables that nobody else may use meanwhile; for the queue alone also those that it is tied to."""
        tied = _TIED if self.queue_only else ()
        return [f"{self.schema}.{name}" for name in (*self.replaced, *tied)]

    @property
    def is_empty(self) -> bool:
        # the one row of the state is made with its table, and says nothing while it is alone
        return not sum(
            number for name, number in self.replaced.items() if name != "queue_state" or not self.queue_only
        )


def plan(of: Server, archive: Path, *, queue_only: bool = False) -> Plan:
    """Reads the backup's manifest and looks at the database; changes nothing. Raises BackupError."""
    described = manifest.read(archive)
    queue_only = queue_only or described.kind == QUEUE
    with of.connect() as session:
        present = server.tables(session)
        found = session.execute("SELECT current_schema()").fetchone()
        if queue_only:
            _demand_same_queue(described, server.migrations(session, present))
            present = [name for name in present if name in server.queue_tables()]
        rows = {n: k for n, k in described.rows.items() if not queue_only or n in server.queue_tables()}
        return Plan(
            archive=archive,
            manifest=described,
            queue_only=queue_only,
            rows=rows,
            replaced=server.count(session, present),
            schema=found[0] if found and found[0] else "public",
            major=session.info.server_version // 10_000,
        )


def _demand_same_queue(described: Manifest, there: dict[str, str]) -> None:
    wanted = described.migrations.get(_APP)
    if wanted is None:
        raise BackupError("this backup holds no queue: it was made while the queue was not installed")
    if there.get(_APP) is None:
        raise BackupError("the queue is not installed: run manage.py migrate, then restore again")
    if there[_APP] != wanted:
        raise BackupError(
            f"the backup's queue is that of migration {wanted}, the database's that of {there[_APP]}: run manage.py "
            f"migrate {_APP} {wanted}, restore, then run manage.py migrate"
        )


def restore(of: Server, planned: Plan, tell: Tell = lambda step: None) -> None:
    """Carries a plan out. `tell` hears of each table. Raises BackupError; then nothing has changed."""
    uses = programs.for_server(max(planned.major, planned.manifest.server))
    environment = os.environ | of.environment()
    reading = [uses.path("pg_restore"), "--file=-", "--no-owner", "--no-privileges", "--no-comments"]
    if planned.queue_only:
        sequences = [f"{name}_id_seq" for name in planned.rows]
        reading += ["--data-only", *(f"--table={name}" for name in (*planned.rows, *sequences))]
    writing = [uses.path("psql"), "--no-psqlrc", "--quiet", "--no-password", "--output", os.devnull]
    with (
        subprocess.Popen([*reading, str(planned.archive)], stdout=subprocess.PIPE) as reader,
        subprocess.Popen(
            [*writing, "--set=ON_ERROR_STOP=1", "--file=-"],
            env=environment,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as writer,
    ):
        assert reader.stdout
        assert writer.stdin
        assert writer.stderr
        try:
            writer.stdin.writelines(_script(planned, reader.stdout, tell))
            if reader.wait() == 0:
                # without this line, whoever dies on the way, the server takes everything back
                writer.stdin.write(b"COMMIT;\n")
            writer.stdin.close()
        except BrokenPipeError:
            reader.kill()
            with suppress(BrokenPipeError):
                writer.stdin.close()
        except BaseException:
            reader.kill()
            writer.kill()  # the server takes back what was not committed
            raise
        said = writer.stderr.read().decode(errors="replace")
    if writer.returncode or reader.returncode:
        raise BackupError(f"nothing was changed: {_reason(said, reader.returncode)}")


def _script(planned: Plan, archive: Iterable[bytes], tell: Tell) -> Iterator[bytes]:
    names = [f"{planned.schema}.{name}" for name in planned.rows]
    yield _BEGIN.encode()
    if planned.taken:
        yield _LOCK.format(names=", ".join(planned.taken), attempts=_ATTEMPTS).encode()
    if planned.queue_only:
        quoted = ", ".join(f"'{name}'" for name in names)
        yield _LOOSEN.format(tables=quoted, names=", ".join(names)).encode()
    else:
        yield _EMPTY_SCHEMA.encode()
    before = ""
    for table, line in script.scan(archive):
        if table and table != before:
            tell(table)
            before = table
        if table or planned.major >= 17 or not line.startswith(_FROM_17):
            yield line
    for name, number in zip(names, planned.rows.values(), strict=True):
        yield _CHECK.format(name=name, number=number).encode()
    if planned.queue_only:
        yield _TIGHTEN.format(schema=planned.schema).encode()


def _reason(said: str, reader: int | None) -> str:
    errors = [line.partition("ERROR:")[2].strip() for line in said.splitlines() if "ERROR:" in line]
    if any("lock timeout" in error or "deadlock" in error for error in errors):
        return "the tables are in use; stop the workers and the web server, then restore again"
    if errors and "create extension" in errors[0]:
        return f"{errors[0]}: let a superuser run CREATE EXTENSION in this database once"
    if errors:
        return errors[0]
    return said.strip() or f"pg_restore ended with {reader}"
