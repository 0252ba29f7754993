"""The database that is backed up or restored: how Postgres' programs reach it, and what is in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from django.apps import apps
from django.db import connection
from psycopg import pq, sql

_TABLES = """
SELECT c.relname FROM pg_class c
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname
"""
_MIGRATIONS: LiteralString = "SELECT app, max(name) FROM django_migrations GROUP BY app"
_IDENTITY = "SELECT current_schema(), rolname, rolsuper FROM pg_roles WHERE rolname = current_user"
_PARAMETERS = (
    "dbname",
    "host",
    "port",
    "user",
    "password",
    "sslmode",
    "sslcert",
    "sslkey",
    "sslrootcert",
    "service",
)


@dataclass(frozen=True)
class Server:
    """`parameters` are libpq's, by keyword."""

    parameters: Mapping[str, str]

    @classmethod
    def of_settings(cls) -> "Server":
        """The server that the settings name."""
        given: dict[str, Any] = connection.get_connection_params()
        return cls({name: str(given[name]) for name in _PARAMETERS if given.get(name)})

    @property
    def database(self) -> str:
        return self.parameters.get("dbname", "")

    def connect(self) -> psycopg.Connection:
        """A new session. Raises psycopg.OperationalError."""
        return psycopg.connect(**dict(self.parameters))  # type: ignore[arg-type]

    def environment(self) -> dict[str, str]:
        """The parameters as libpq reads them from the environment: a command line could be read by everybody."""
        variables = {option.keyword.decode(): option.envvar for option in pq.Conninfo.get_defaults()}
        return {
            variable.decode(): value
            for name, value in self.parameters.items()
            if (variable := variables.get(name)) is not None
        }


def identity(session: psycopg.Connection) -> tuple[str | None, str, bool]:
    """The schema in which tables are made, the role of the session, and whether that is a superuser."""
    found = session.execute(_IDENTITY).fetchone()
    assert found
    return found[0], found[1], found[2]


def queue_tables() -> list[str]:
    """The tables of the queue, whether they are in the database or not."""
    return sorted(model._meta.db_table for model in apps.get_app_config("queueops").get_models())


def tables(session: psycopg.Connection) -> list[str]:
    """The tables of the current schema, without those of extensions."""
    return [name for (name,) in session.execute(_TABLES)]


def count(session: psycopg.Connection, names: Iterable[str], schema: str = "") -> dict[str, int]:
    """The number of rows per table, of a schema or of the session's search path."""
    rows = {}
    for name in names:
        table = sql.Identifier(schema, name) if schema else sql.Identifier(name)
        found = session.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
        rows[name] = found[0] if found else 0
    return rows


def migrations(session: psycopg.Connection, present: Iterable[str]) -> dict[str, str]:
    """The newest migration of each app; none where the table of migrations is not `present`."""
    return dict(session.execute(_MIGRATIONS).fetchall()) if "django_migrations" in present else {}
