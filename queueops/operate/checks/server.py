"""The database server: its release, encoding and pgvector, a pooler before it, and the right to migrate."""

from collections.abc import Iterator
from typing import NamedTuple

from django.db import DatabaseError, connection, transaction
from psycopg import sql

from lib.database_errors import sqlstate
from lib.manage_command import manage
from queueops.operate.checks import pooler
from queueops.operate.checks.finding import CheckResult, Finding, fail, ok, warn

LEAST_POSTGRES = 16
# iterative scans, which filtered searches need; and fixes of the index's vacuum since
LEAST_PGVECTOR, GOOD_PGVECTOR = (0, 8, 0), (0, 8, 4)
_REFUSED_RIGHT = "42501"

_FACTS = """
SELECT current_setting('server_version'), current_setting('server_version_num')::int, pg_is_in_recovery(),
       current_setting('transaction_read_only') = 'on', current_setting('server_encoding'),
       (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
       (SELECT default_version FROM pg_available_extensions WHERE name = 'vector'),
       current_database(), current_user::text, current_schema(),
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
"""


class Server(NamedTuple):
    """What the server says of itself. `vector` is the installed release of pgvector, `offered` the one that could be;
    `schema` is where new tables go, None where they cannot."""

    version: str
    number: int
    is_replica: bool
    is_read_only: bool
    encoding: str
    vector: str | None
    offered: str | None
    database: str
    role: str
    schema: str | None
    may_create: bool


def ask() -> Server:
    """The facts. Raises what Django raises where the database does not answer."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS)
        return Server(*cursor.fetchone())


def obstacles() -> list[str]:
    """What keeps this server from being migrated and used, each with how to mend it; empty where nothing does."""
    server = ask()
    found = [*check(server), *check_before_migrating(server)]
    return [f"{each.check}: {each.detail}. {each.fix}" for each in found if each.verdict is CheckResult.FAIL]


def check(server: Server) -> Iterator[Finding]:
    """What must hold at all times; for a database in which pgvector is, or is to be installed."""
    yield _version(server)
    yield from _encoding(server)
    yield from _writable(server)
    yield _pgvector(server)
    yield from pooler.check()


def check_before_migrating(server: Server) -> Iterator[Finding]:
    """The rest of what the first migration needs; nothing is left behind."""
    yield from _schema(server)
    if (
        server.vector is None
        and server.offered is not None
        and not (server.is_replica or server.is_read_only)
    ):
        yield from _right_to_install(server)


def _version(server: Server) -> Finding:
    if server.number // 10_000 < LEAST_POSTGRES:
        return fail(
            "database",
            f"Postgres {server.version} is too old",
            f"Use Postgres {LEAST_POSTGRES} or newer, or unset DATABASE_URL: {manage('runstack')} starts its own.",
        )
    return ok("database", f"Postgres {server.version} responds")


def _encoding(server: Server) -> Iterator[Finding]:
    if server.encoding != "UTF8":
        yield fail(
            "encoding",
            f"the database {server.database} has the encoding {server.encoding}, which not every text fits into",
            "Run: CREATE DATABASE vectorpress ENCODING 'UTF8' TEMPLATE template0; and let DATABASE_URL name it.",
        )


def _writable(server: Server) -> Iterator[Finding]:
    if server.is_replica:
        yield fail(
            "writes", "this server is a replica, which accepts none", "Set DATABASE_URL to the primary."
        )
    elif server.is_read_only:
        yield fail(
            "writes",
            "transactions are read-only here",
            "Set default_transaction_read_only to off for this user.",
        )


def _pgvector(server: Server) -> Finding:
    good = ".".join(map(str, GOOD_PGVECTOR))
    found = server.vector or server.offered
    if found is None:
        major = max(server.number // 10_000, LEAST_POSTGRES)
        return fail(
            "pgvector",
            "is not installed on the server",
            f"Install pgvector {good} or newer there, on Debian and Ubuntu the package postgresql-{major}-pgvector of "
            f"apt.postgresql.org, or unset DATABASE_URL: {manage('runstack')} starts its own.",
        )
    update = " then run: ALTER EXTENSION vector UPDATE;" if server.vector else " then run this again."
    fix = f"Install pgvector {good} or newer on the server,{update}"
    numbers = tuple(int(part) for part in found.split(".") if part.isdigit())
    if numbers < LEAST_PGVECTOR:
        return fail("pgvector", f"{found} cannot search with a filter", fix)
    if numbers < GOOD_PGVECTOR:
        return warn("pgvector", f"{found} has known bugs in its index", fix)
    return ok("pgvector", found)


def _schema(server: Server) -> Iterator[Finding]:
    if server.schema is None:
        fix = "Make the schema that the role's search_path names, or reset search_path."
        yield fail("schema", f"{server.role} has no schema to make tables in", fix)
    elif not server.may_create:
        grant = sql.SQL("GRANT CREATE ON SCHEMA {} TO {};").format(
            sql.Identifier(server.schema), sql.Identifier(server.role)
        )
        yield fail(
            "schema",
            f"{server.role} may not make tables in the schema {server.schema}",
            f"As the owner of the database {server.database}, run in it: {grant.as_string()}",
        )


def _right_to_install(server: Server) -> Iterator[Finding]:
    """Tries it and takes it back: who may install an extension, each hosting service rules by itself."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
            transaction.set_rollback(True)
    except DatabaseError as error:
        if sqlstate(error) != _REFUSED_RIGHT:
            raise
        yield fail(
            "pgvector",
            f"is not installed in the database {server.database}, and {server.role} may not install it",
            f"As a superuser, run in the database {server.database}: CREATE EXTENSION vector;",
        )
