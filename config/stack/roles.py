"""The roles of the embedded Postgres, and who may connect as which.

`postgres` is the superuser, for maintenance. `vectorpress` owns the database and is what the web, the workers and every
command connect as: text that becomes SQL by mistake, or a function in a restored archive, runs without the superuser's
COPY TO PROGRAM and file access.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from config.stack import accounts, paths
from config.stack.orphans import kept_text
from config.stack.processes import Account

if TYPE_CHECKING:
    import psycopg

_MAP = "vectorpress"
_HBA = f"""# Written by Vectorpress at every start.
# The kernel names who connects; pg_ident.conf lists the roles of each.
local all all peer map={_MAP}
"""
_LEAST = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
# Of the objects of the database, those that the superuser owns and that belong to neither Postgres nor an extension.
# Sequences of a column follow their table, row types and arrays their type.
_FOREIGN = """
WITH app AS (
    SELECT oid AS namespace FROM pg_namespace
    WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%%'
), extension AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
)
SELECT format('ALTER SCHEMA %%I OWNER TO %%I', nspname, %(role)s::text) FROM pg_namespace n
WHERE nspowner = %(super)s::regrole AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%%'
  AND NOT EXISTS (SELECT FROM extension WHERE classid = 'pg_namespace'::regclass AND objid = n.oid)
UNION ALL
SELECT format('ALTER %%s %%s OWNER TO %%I',
              CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                           WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END,
              c.oid::regclass, %(role)s::text)
FROM pg_class c JOIN app ON relnamespace = namespace
WHERE relowner = %(super)s::regrole AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
  AND NOT EXISTS (SELECT FROM extension WHERE classid = 'pg_class'::regclass AND objid = c.oid)
  AND NOT (relkind = 'S' AND EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype IN ('a', 'i')
                                     AND classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass))
UNION ALL
SELECT format('ALTER ROUTINE %%s OWNER TO %%I', p.oid::regprocedure, %(role)s::text)
FROM pg_proc p JOIN app ON pronamespace = namespace
WHERE proowner = %(super)s::regrole
  AND NOT EXISTS (SELECT FROM extension WHERE classid = 'pg_proc'::regclass AND objid = p.oid)
UNION ALL
SELECT format('ALTER TYPE %%s OWNER TO %%I', t.oid::regtype, %(role)s::text)
FROM pg_type t JOIN app ON typnamespace = namespace
WHERE typowner = %(super)s::regrole AND typrelid = 0 AND typtype IN ('d', 'e', 'r')
  AND NOT EXISTS (SELECT FROM extension WHERE classid = 'pg_type'::regclass AND objid = t.oid)
"""
# Settings by which the owner of the database could lock out everybody, the superuser too.
_UNLOCK = """
WITH own AS (SELECT oid, datname, datconnlimit, datallowconn FROM pg_database WHERE datname = %(database)s),
role AS (SELECT oid, rolname FROM pg_roles WHERE rolname = %(role)s)
SELECT format('ALTER DATABASE %%I ALLOW_CONNECTIONS true', datname) FROM own WHERE NOT datallowconn
UNION ALL
SELECT format('ALTER DATABASE %%I CONNECTION LIMIT -1', datname) FROM own WHERE datconnlimit >= 0
UNION ALL
SELECT format('GRANT CONNECT, TEMPORARY ON DATABASE %%I TO %%I', datname, rolname) FROM own, role
WHERE NOT has_database_privilege(role.oid, own.oid, 'CONNECT')
UNION ALL
SELECT format('ALTER DATABASE %%I RESET ALL', datname)
FROM pg_db_role_setting JOIN own ON setdatabase = own.oid WHERE setrole = 0
UNION ALL
SELECT format('ALTER ROLE %%I RESET ALL', rolname)
FROM pg_db_role_setting JOIN role ON setrole = role.oid WHERE setdatabase = 0
UNION ALL
SELECT format('ALTER ROLE %%I IN DATABASE %%I RESET ALL', rolname, d.datname)
FROM pg_db_role_setting JOIN role ON setrole = role.oid JOIN pg_database d ON d.oid = setdatabase
"""


def write_access(data_dir: Path, account: Account | None, starter: int) -> None:
    """Writes which user of the machine may connect as which role; before every start, when no server runs."""
    _write(data_dir / "pg_hba.conf", _HBA)
    _write(data_dir / "pg_ident.conf", "".join(_identities(account, starter)))


def settle(sockets: Path, database: str) -> None:
    """Makes role, database and extension where missing, and the role the owner of what the superuser owned before.
    Takes back what would keep sessions from the database: settings of it and of the role, a limit, a revoked right.

    Each step is repeated at the next start where one was cut off. Raises psycopg.OperationalError while the server does
    not answer.
    """
    with _session(sockets, "postgres") as session:
        own = {"database": database, "role": paths.DATABASE_USER}
        for (statement,) in session.execute(_UNLOCK, own).fetchall():
            session.execute(statement.encode())
        if not _has_role(session):
            with _session(sockets, "template1") as template:  # scratch databases are copies of it
                template.execute("CREATE EXTENSION IF NOT EXISTS vector")
            session.execute(f"CREATE ROLE {paths.DATABASE_USER} LOGIN {_LEAST}".encode())
        _settle_database(session, database)
    with _session(sockets, database) as session:
        _settle_extension(session)
        with session.transaction():
            owners = {"super": paths.SUPERUSER, "role": paths.DATABASE_USER}
            for (statement,) in session.execute(_FOREIGN, owners).fetchall():
                session.execute(statement.encode())


def _identities(account: Account | None, starter: int) -> Iterator[str]:
    """The lines of pg_ident.conf: root and the starter may do everything, the account it starts others as may not."""
    yield "# Written by Vectorpress at every start: user of the machine, role.\n"
    for name in dict.fromkeys([accounts.name_of(0), accounts.name_of(starter)]):
        yield f'{_MAP} "{name}" {paths.SUPERUSER}\n{_MAP} "{name}" {paths.DATABASE_USER}\n'
    if account and account.uid not in (0, starter):
        yield f'{_MAP} "{accounts.name_of(account.uid)}" {paths.DATABASE_USER}\n'


def _write(path: Path, text: str) -> None:
    """Replaces what differs, in one step; the caller has the rights of the folder's owner and no more."""
    if kept_text(path) == text:
        return
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _session(sockets: Path, database: str) -> "psycopg.Connection":
    """As superuser, whose names the owner of the database cannot redirect by a search path."""
    import psycopg

    return psycopg.connect(
        paths.postgres_url(sockets, database, paths.SUPERUSER),
        autocommit=True,
        connect_timeout=2,
        options="-c search_path=pg_catalog",
    )


def _has_role(session: "psycopg.Connection") -> bool:
    query = "SELECT 1 FROM pg_roles WHERE rolname = %s"
    return session.execute(query, [paths.DATABASE_USER]).fetchone() is not None


def _settle_database(session: "psycopg.Connection", database: str) -> None:
    from psycopg import sql

    query = "SELECT datdba::regrole::text FROM pg_database WHERE datname = %s"
    found = session.execute(query, [database]).fetchone()
    names = {"database": sql.Identifier(database), "role": sql.Identifier(paths.DATABASE_USER)}
    if found is None:
        session.execute(sql.SQL("CREATE DATABASE {database} OWNER {role}").format(**names))
    elif found != (paths.DATABASE_USER,):
        session.execute(sql.SQL("ALTER DATABASE {database} OWNER TO {role}").format(**names))


def _settle_extension(session: "psycopg.Connection") -> None:
    """Installs pgvector, or brings it up to the release that the server has: its owner is the superuser."""
    query = "SELECT installed_version, default_version FROM pg_available_extensions WHERE name = 'vector'"
    installed, newest = session.execute(query).fetchone() or (None, None)
    if installed is None:
        session.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    elif installed != newest:
        session.execute("ALTER EXTENSION vector UPDATE")
