"""A restore's transaction around the archive itself: locking, clearing, and the rules of the queue.

Names come from the manifest and from the database's catalogue, so each is quoted by psycopg.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
from psycopg import sql

from config.backups import server
from config.backups.errors import BackupError
from config.backups.running import Target

_SETTINGS = (
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL lock_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL row_security = off",
    "SET LOCAL client_min_messages = warning",
)
_FROM_17 = "SET LOCAL transaction_timeout = 0"
# All tables are locked together or released within half a second, so that no running session waits for longer
# or is the victim of a deadlock.
_PATIENCE = "SET LOCAL lock_timeout = '500ms'"
_ATTEMPTS = 60
_SECONDS_BETWEEN = 0.1
_RELATIONS = """
SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                      ELSE 'TABLE' END AS kind, n.nspname, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('e', 'i'))
ORDER BY c.relkind = 'S'
"""
# The server writes the arguments' types, each of them quoted.
_CLEAR_ROUTINES = """
DO $clear$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', found.name);
    END LOOP;
END $clear$;
"""
_REFERENCES = """
SELECT owner.relname, c.conname, pg_get_constraintdef(c.oid), target_schema.nspname, target.relname, a.attname
FROM pg_constraint c JOIN pg_class owner ON owner.oid = c.conrelid
JOIN pg_class target ON target.oid = c.confrelid
JOIN pg_namespace target_schema ON target_schema.oid = target.relnamespace
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype = 'f' AND owner.relnamespace = %(schema)s::regnamespace AND owner.relname = ANY (%(names)s)
  AND NOT (target.relnamespace = owner.relnamespace AND target.relname = ANY (%(names)s))
"""


# All that the owner of a database may change of it and of itself, but for the password, which no role can read.
_DATABASE = """
SELECT datconnlimit, datallowconn, datistemplate, datdba, datacl::text,
       ARRAY(SELECT setdatabase || ' ' || setrole || ' ' || setconfig::text FROM pg_catalog.pg_db_role_setting
             WHERE setdatabase IN (0, d.oid) AND setrole IN (0, current_user::regrole) ORDER BY 1)
FROM pg_catalog.pg_database d WHERE datname = pg_catalog.current_database()
"""


class _Reference(NamedTuple):
    """A foreign key, with its definition as the server writes it."""

    owner: str
    name: str
    definition: str
    target_schema: str
    target: str
    column: str


def begin(target: Target) -> None:
    """Keeps settings of the role or the database from ending the transaction."""
    for statement in (*_SETTINGS, *([_FROM_17] if target.major >= 17 else [])):
        target.session.execute(statement)


def database_settings(target: Target) -> tuple[object, ...] | None:
    """State outside the schema that survives a restore: settings, limits and rights of the database and the role."""
    return target.session.execute(_DATABASE).fetchone()


def lock(target: Target, names: Sequence[str]) -> None:
    """Locks the tables. Raises psycopg's LockNotAvailable if they are in use for a minute."""
    if not names:
        return
    statement = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(_listed(target, names))
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with target.session.transaction():
                target.session.execute(_PATIENCE)
                target.session.execute(statement)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if attempt == _ATTEMPTS:
                raise
            time.sleep(_SECONDS_BETWEEN)
        else:
            target.session.execute("SET LOCAL lock_timeout = 0")
            return


def clear(target: Target) -> None:
    """Drops what is in the schema, but for what extensions brought along."""
    for kind, schema, name in target.session.execute(_RELATIONS, [target.schema]).fetchall():
        target.session.execute(
            sql.SQL("DROP {} IF EXISTS {} CASCADE").format(sql.SQL(kind), sql.Identifier(schema, name))
        )
    target.session.execute(_CLEAR_ROUTINES)


@contextmanager
def loosened(target: Target, names: Sequence[str]) -> Iterator[None]:
    """Empties the tables of the queue, which what runs inside fills. An article or space that is gone takes its tasks
    along: what refers to it is left out, and the rules hold again."""
    given = {"schema": sql.Identifier(target.schema).as_string(), "names": list(names)}
    references = [_Reference(*row) for row in target.session.execute(_REFERENCES, given).fetchall()]
    for each in references:
        owner, name = sql.Identifier(target.schema, each.owner), sql.Identifier(each.name)
        target.session.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(owner, name))
    target.session.execute(sql.SQL("TRUNCATE {}").format(_listed(target, names)))
    yield
    for each in references:
        _tighten(target, each)


def demand_rows(target: Target, rows: Mapping[str, int]) -> None:
    """Raises BackupError where a table has another number of rows."""
    for name, number in server.count(target.session, rows, target.schema).items():
        if number != rows[name]:
            raise BackupError(
                f"not all rows of {name} arrived: it has {number:,}, the manifest {rows[name]:,}"
            )


def _tighten(target: Target, reference: _Reference) -> None:
    owner = sql.Identifier(target.schema, reference.owner)
    target.session.execute(
        sql.SQL(
            "DELETE FROM {owner} owner WHERE owner.{column} IS NOT NULL"
            " AND NOT EXISTS (SELECT FROM {target} target WHERE target.id = owner.{column})"
        ).format(
            owner=owner,
            column=sql.Identifier(reference.column),
            target=sql.Identifier(reference.target_schema, reference.target),
        )
    )
    # a definition is an expression that the server wrote with each name quoted
    definition = sql.SQL(reference.definition)
    target.session.execute(
        sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
            owner, sql.Identifier(reference.name), definition
        )
    )


def _listed(target: Target, names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(target.schema, name) for name in names)
