"""The database: its server, what the migrations made of it, its sequences and connections, and which space serves."""

from collections.abc import Iterator, Sequence
from functools import partial

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.loader import MigrationLoader

from embeddings import recipes
from embeddings.models import Space
from lib.manage_command import manage
from queueops.base import database_away
from queueops.engine import storage_probe
from queueops.operate.checks import configuration, registered_checks, schema, server
from queueops.operate.checks.finding import CheckResult, Finding, fail, ok, warn, worst

_NAMES_SHOWN = 5

_ROLE = """
SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int,
       (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL AND usesysid IS NOT NULL),
       current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
"""
# what a role needs to own the installation's tables and no more
_LEAST = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"


def check() -> Iterator[Finding]:
    """Findings in the order in which one would put things right; a database that does not answer ends it."""
    try:
        facts = server.ask()
    except (DatabaseError, InterfaceError) as error:
        said = f"does not answer: {database_away.reason(error)}"
        yield fail("database", said, "Start it, or correct DATABASE_URL.")
        return
    for step in (
        partial(server.check, facts),
        _role_and_connections,
        _migrations,
        schema.check,
        check_space,
        check_recipes,
        _vectors,
        registered_checks.check,
    ):
        found = list(step())
        yield from found
        if worst(found) is CheckResult.FAIL:  # what comes next would only say the same in other words
            return


def _role_and_connections() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(_ROLE)
        most, reserved, open_now, role, is_super = cursor.fetchone()
    yield _role(role, is_super)
    yield _connections(most - reserved, open_now)


def _role(role: str, is_super: bool) -> Finding:
    if not is_super:
        return ok("role", f"{role} is not a superuser")
    return warn(
        "role",
        f"{role} is a superuser: injected SQL can run programs and read files on the server",
        f"Run: CREATE ROLE vectorpress LOGIN {_LEAST}; make it the owner of the database and its tables "
        "(docs/security.md has the statements), and set DATABASE_URL to it.",
    )


def _connections(most: int, open_now: int) -> Finding:
    free = most - open_now
    pool = settings.DATABASES["default"]["OPTIONS"].get("pool")
    # a heartbeat, a pulse and a command or two on top of each process's pool
    each = pool["max_size"] if pool else max(settings.WEB_THREADS, settings.EMBEDDING_WORKER_THREADS) + 3
    wanted = each * (settings.WEB_PROCESSES + settings.EMBEDDING_CONCURRENT_WORKERS)
    detail = f"{free} of {most} are free; this machine's processes may open {wanted}"
    if free < 1 or wanted > most:
        fix = f"Set max_connections to {wanted + open_now + 10} or more, or use fewer processes and threads."
        return warn("connections", detail, fix) if free > 0 else fail("connections", detail, fix)
    return ok("connections", detail)


def _migrations() -> Iterator[Finding]:
    loader = MigrationLoader(connection)
    applied, known = set(loader.applied_migrations), set(loader.graph.nodes)
    replaced = {each for migration in loader.disk_migrations.values() for each in migration.replaces}
    ours = {app for app, _ in known}
    if missing := sorted(known - applied):
        yield fail(
            "migrations", f"{len(missing)} not applied: {_listed(missing)}", f"Run: {manage('migrate')}"
        )
    elif newer := sorted(each for each in applied - known - replaced if each[0] in ours):
        yield warn(
            "migrations",
            f"the database has some that this code does not know: {_listed(newer)}",
            "Deploy the newer code, or take them back with the code that knows them.",
        )
    else:
        yield ok("migrations", "all applied")


def check_space() -> Iterator[Finding]:
    """Whether the serving space is the one that the settings name."""
    space, named = Space.objects.serving(), configuration.in_settings()
    if space is None:
        yield warn("space", "none is serving: searches use keywords", f"Run: {manage('migrate')}")
    elif (space.provider, space.model, space.dimensions) != (named.provider, named.model, named.dimensions):
        yield warn(
            "space",
            f"{space} is serving, and the settings name {named.provider}/{named.model} ({named.dimensions} numbers): "
            "settings do not replace a space that has vectors",
            f"Set EMBEDDING_PROVIDER={space.provider} and EMBEDDING_MODEL={space.model}, or change the model: "
            f"{manage('spaces create')}",
        )
    else:
        yield ok("space", f"{space} is serving, as in the settings")


def check_recipes() -> Iterator[Finding]:
    """Whether this process makes vectors by the recipe of each living space."""
    for space in Space.objects.receiving():
        if recipes.fits(space):
            yield ok("recipe", f"{space} has vectors of the recipe of this process ({space.fingerprint[:8]})")
        else:
            yield fail(
                "recipe", recipes.refusal(space), "Restore what differs, or re-embed by the new recipe."
            )


def _vectors() -> Iterator[Finding]:
    """A row is written to each table that a batch needs, and rolled back, as workers do before they claim again."""
    space = Space.objects.serving()
    if space is None:
        return
    if refusal := storage_probe.refusal_of_a_row(space):
        fix = "docs/operations/database-refuses.md has the fix for each reason; then workers resume by themselves."
        yield fail("vectors", f"the database accepts none ({str(refusal).rstrip('.')})", fix)
    else:
        yield ok("vectors", "the database accepts them")


def _listed(migrations: Sequence[tuple[str, str]]) -> str:
    more = f" and {len(migrations) - _NAMES_SHOWN} more" if len(migrations) > _NAMES_SHOWN else ""
    return ", ".join(f"{app}.{name}" for app, name in migrations[:_NAMES_SHOWN]) + more
