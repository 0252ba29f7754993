"""Databases that are made for a while and dropped again."""

import psycopg
from psycopg import sql

# a server's own process has no role
_END_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = %s AND usesysid IS NOT NULL AND pg_has_role(usesysid, 'USAGE')
"""


def drop_database(session: psycopg.Connection, name: str) -> None:
    """Ends the sessions in a database that this role may end, and drops it if it exists. `session` is outside it, in
    autocommit.

    WITH (FORCE) would do both, but is refused to a role that is not a superuser while one of the server's own processes
    works there (autovacuum does, whenever it likes). A plain DROP DATABASE sends that away and waits 5 s for it. Raises
    psycopg.errors.ObjectInUse where a session of another role stays."""
    session.execute(_END_SESSIONS, [name])
    session.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
