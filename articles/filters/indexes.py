"""The indexes of the fields that SEARCH_FILTERS declares: which there are, and how they come and go while people write
and search."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from articles.filters.fields import INDEX_PREFIX, Field

_LOCK = "hashtext('articles.filters.indexes'), 0"
_THERE = """
SELECT c.relname, x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
WHERE x.indrelid = to_regclass('articles') AND starts_with(c.relname, %s)
"""
_HAS_SCHEMA = "SELECT to_regclass('articles') IS NOT NULL AND to_regproc('articles_filter_date') IS NOT NULL"
_CREATE = sql.SQL("CREATE INDEX CONCURRENTLY {name} ON articles (({expression}))")
_DROP = sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {name}")


@dataclass(frozen=True)
class Synced:
    """What one run did: the fields whose indexes it built, and the names of those it removed. `is_busy`: another
    process is at it, and this one did nothing."""

    built: tuple[Field, ...] = ()
    removed: tuple[str, ...] = ()
    is_busy: bool = False

    def __bool__(self) -> bool:
        return bool(self.built or self.removed)

    def __str__(self) -> str:
        built = ", ".join(field.name for field in self.built) or "none"
        return f"built {built}; removed {len(self.removed)}"


@dataclass(frozen=True)
class Difference:
    """`missing`: declared fields without a valid index; their filters are right all the same, and slower. `unwanted`:
    indexes of fields that are no longer declared, or have another type now."""

    missing: list[Field]
    unwanted: list[str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unwanted)


def difference() -> Difference:
    """Between the indexes that are there and those that SEARCH_FILTERS asks for."""
    there = _there()
    wanted = {field.index_name: field for field in settings.SEARCH_FILTERS}
    missing = [field for name, field in wanted.items() if not there.get(name)]
    return Difference(missing, sorted(there.keys() - wanted.keys()))


def sync(**_: Any) -> Synced:
    """Builds what is missing, and removes what nothing declares and the remains of interrupted builds. Call it outside
    a transaction. Does nothing while the schema is older than this code."""
    if not difference() or not _has_schema():
        return Synced()
    with _alone() as cursor:
        return _synced(cursor, difference()) if cursor else Synced(is_busy=True)


def _synced(cursor: CursorWrapper, found: Difference) -> Synced:
    removed, built = found.unwanted, found.missing
    for name in [*removed, *(field.index_name for field in built)]:
        cursor.execute(_DROP.format(name=sql.Identifier(name)).as_string(None))
    for field in built:
        create = _CREATE.format(name=sql.Identifier(field.index_name), expression=field.expression)
        cursor.execute(create.as_string(None))
    if built:
        cursor.execute("ANALYZE articles")  # without statistics of the expression the planner guesses
    return Synced(tuple(built), tuple(removed))


def _has_schema() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_HAS_SCHEMA)
        return bool(cursor.fetchone()[0])


def _there() -> dict[str, bool]:
    """Whether each of our indexes is valid, by name."""
    with connection.cursor() as cursor:
        cursor.execute(_THERE, [INDEX_PREFIX])
        return dict(cursor.fetchall())


@contextmanager
def _alone() -> Iterator[CursorWrapper | None]:
    """A cursor without time limits, for one process at a time; None for the others."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock({_LOCK})")
        if not cursor.fetchone()[0]:
            yield None
            return
        try:
            # a build waits for every older transaction
            cursor.execute("SET lock_timeout = 0; SET statement_timeout = 0")
            yield cursor
            cursor.execute("RESET lock_timeout; RESET statement_timeout")
        finally:
            cursor.execute(f"SELECT pg_advisory_unlock({_LOCK})")
