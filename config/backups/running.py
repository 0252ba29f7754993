"""Puts the sections of an archive into the database of a session, within its transaction.

The statements of a whole backup are code: they run with all rights of the session's role, and with no more. They run
inside PL/pgSQL's EXECUTE, which takes SQL only and refuses COMMIT and ROLLBACK (documentation of PL/pgSQL, "Transaction
Management"), so that an archive cannot keep a part of itself. Of the rows' section no text is run at all.
"""

from collections.abc import Mapping
from io import FileIO
from typing import NamedTuple

import psycopg
from psycopg import sql

from config.backups import sql_script
from config.backups.dump import Tell
from config.backups.errors import BackupError
from config.backups.pg_programs import Programs
from config.backups.sql_script import Encoding, Table

_KEEP = "SELECT set_config('vectorpress.script', convert_from(%b, %s), true)"
_EXECUTE = "DO $run$ BEGIN EXECUTE current_setting('vectorpress.script'); END $run$"
_FORGET = "SELECT set_config('vectorpress.script', '', true)"


class Target(NamedTuple):
    """The session whose transaction it is, the schema and the server's major version."""

    session: psycopg.Connection
    schema: str
    major: int


def run(target: Target, uses: Programs, archive: FileIO, name: str) -> None:
    """Runs a section of statements."""
    with uses.section(archive, name) as section:
        encoding, text = sql_script.statements(section, without_17=target.major < 17 <= uses.major)
    if text:
        target.session.execute(_KEEP, [text, encoding])
        target.session.execute(_EXECUTE)
        target.session.execute(_FORGET)


def load(
    target: Target, uses: Programs, archive: FileIO, rows: Mapping[str, int], tell: Tell, *, queue_only: bool
) -> None:
    """Loads the rows, at most `rows` per table; with `queue_only`, only the queue's tables. Raises
    BackupError."""
    names = [*rows, *(f"{name}_id_seq" for name in rows)] if queue_only else []
    with uses.section(archive, "data", *(f"--table={name}" for name in names)) as section:
        for part in sql_script.parts(section):
            if isinstance(part, Encoding):
                target.session.execute("SELECT set_config('client_encoding', %s, false)", [part.name])
                continue
            if queue_only and (part.schema != target.schema or part.name not in names):
                raise BackupError(f"the archive has more than the queue: {part.schema}.{part.name}")
            if isinstance(part, Table):
                tell(part.name)
                _copy(target, part, rows)
            else:
                name = sql.Identifier(part.schema, part.name).as_string()
                said = [name, part.value, part.is_called]
                target.session.execute("SELECT setval(%s::regclass, %s, %s)", said)


def _copy(target: Target, table: Table, rows: Mapping[str, int]) -> None:
    """Copies the rows of a table, and stops where they are too many: an archive may unpack to any size."""
    limit = rows.get(table.name, 0) if table.schema == target.schema else None
    columns = sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Identifier, table.columns)))
    statement = sql.SQL("COPY {} {} FROM STDIN").format(
        sql.Identifier(table.schema, table.name), columns if table.columns else sql.SQL("")
    )
    number = 0
    with target.session.cursor().copy(statement) as copy:
        for block in table.rows:
            number += block.number
            if limit is not None and number > limit:
                raise BackupError(
                    f"the archive has more than the {limit:,} rows of {table.name} that its manifest speaks of"
                )
            copy.write(block.data)
