"""The approximate index of one space: when it is wanted, how it is built, whether it can be used."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.utils import CursorWrapper

from embeddings.models import Space
from lib.timed_cache import TimedCache

# below this many chunks an exact scan takes milliseconds, and an index would only slow every write
WANTED_FROM_ROWS = 5_000
# pgvector README: vector is indexable to 2,000 dimensions, halfvec to 4,000
_VECTOR_MOST, _HALFVEC_MOST = 2_000, 4_000
_REMEMBER_SECONDS = 5.0


def name_of(space: Space) -> str:
    return _name(space.pk)


def column_type(space: Space) -> str:
    """The type that the untyped column is cast to, in the index and, word for word, in the query."""
    kind = "vector" if space.dimensions <= _VECTOR_MOST else "halfvec"
    return f"{kind}({space.dimensions:d})"


def is_usable(space: Space) -> bool:
    """Whether there is a valid index; cached for a few seconds."""
    return _usable(space.pk).get()


def is_wanted(space: Space) -> bool:
    """Whether an index should be built now: the space is large enough and has no valid one."""
    if space.dimensions > _HALFVEC_MOST or _state(space.pk):
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM article_embeddings WHERE space_id = %s LIMIT %s) counted",
            [space.pk, WANTED_FROM_ROWS],
        )
        return bool(cursor.fetchone()[0] >= WANTED_FROM_ROWS)


def build(space: Space) -> bool:
    """Builds the index while people write and search; False if another process is building it.

    The remains of an interrupted build are removed first. Call it outside a transaction.
    """
    with _alone(space) as cursor:
        if cursor and not _state(space.pk):
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name_of(space)}")
            cursor.execute(_create_sql(space))
        return cursor is not None


def rebuild(space: Space) -> bool:
    """Rebuilds a valid index while the old one stays in use; False if another process is building it.

    Call it outside a transaction.
    """
    with _alone(space) as cursor:
        if cursor:
            for left in _left_by_rebuilding(cursor, space):
                cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {left}")
            cursor.execute(f"REINDEX INDEX CONCURRENTLY {name_of(space)}")
        return cursor is not None


def drop_of_empty(space: Space) -> None:
    """Removes the index of a space that is empty, within the transaction that gives it another width."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX IF EXISTS {name_of(space)}")
    _usable(space.pk).forget()


def stands(space: Space) -> bool:
    """Whether there is a valid index now."""
    return _state(space.pk) is True


@contextmanager
def _alone(space: Space) -> Iterator[CursorWrapper | None]:
    """A cursor with memory for a build, for one process at a time; None for the others."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_lock(hashtext('embeddings.storage.ann_index'), %s)", [space.pk]
        )
        if not cursor.fetchone()[0]:
            yield None
            return
        try:
            # a build has no time limit, and waits for every older transaction
            cursor.execute(
                "SET maintenance_work_mem = '512MB'; SET lock_timeout = 0; SET statement_timeout = 0"
            )
            yield cursor
            cursor.execute("RESET maintenance_work_mem; RESET lock_timeout; RESET statement_timeout")
            _usable(space.pk).forget()
        finally:
            cursor.execute(
                "SELECT pg_advisory_unlock(hashtext('embeddings.storage.ann_index'), %s)", [space.pk]
            )


def _left_by_rebuilding(cursor: CursorWrapper, space: Space) -> list[str]:
    """Remains of an interrupted REINDEX CONCURRENTLY
    (https://www.postgresql.org/docs/current/sql-reindex.html)."""
    cursor.execute(
        "SELECT c.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid "
        "WHERE x.indrelid = 'article_embeddings'::regclass AND c.relname ~ %s",
        [f"^{name_of(space)}_cc(new|old)[0-9]*$"],
    )
    return [name for (name,) in cursor.fetchall()]


def drop(space: Space) -> None:
    """Removes the index; searches become exact and slower."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name_of(space)}")
    _usable(space.pk).forget()


def _name(space_id: int) -> str:
    return f"article_embeddings_ann_{space_id:d}"


@functools.cache
def _usable(space_id: int) -> TimedCache[bool]:
    return TimedCache(lambda: _state(space_id) is True, _REMEMBER_SECONDS)


def _create_sql(space: Space) -> str:
    typed = column_type(space)
    operators = f"{typed.partition('(')[0]}_cosine_ops"
    return (
        f"CREATE INDEX CONCURRENTLY {name_of(space)} ON article_embeddings "
        f"USING hnsw ((embedding::{typed}) {operators}) WITH (m = 16, ef_construction = 64) "
        f"WHERE space_id = {space.pk:d}"
    )


def _state(space_id: int) -> bool | None:
    """True: valid; False: there, but left half built; None: there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [_name(space_id)]
        )
        row = cursor.fetchone()
    return row[0] if row else None
