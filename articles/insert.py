"""Makes an article, its first version and what others keep beside it in one statement: half of what a save costs is
round trips."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from django.db import connection
from psycopg.types.json import Jsonb

from articles import slugs
from lib import prepared_statements

# No lookup: the index decides whether the slug is free. So the plan may be kept (lib/prepared_statements.py).
_INSERT = """
WITH article AS (
    INSERT INTO articles (id, slug, title, content, metadata, version_number, created_at, updated_at)
    VALUES (coalesce(%(id)s::bigint, nextval(pg_get_serial_sequence('articles', 'id'))), %(slug)s::text,
            %(title)s::text, %(content)s::text, %(metadata)s::jsonb, %(version_number)s::int,
            coalesce(%(created_at)s::timestamptz, now()), coalesce(%(updated_at)s::timestamptz, now()))
    ON CONFLICT (slug) DO NOTHING
    RETURNING *
), version AS (
    INSERT INTO article_versions (article_id, version_number, title, content, author)
    SELECT id, version_number, title, content, %(author)s::text FROM article
){companions}
SELECT {generated} FROM article
"""
_SLUG_TRIES = 5
_GENERATED = ("id", "slug", "content_hash", "created_at", "updated_at")
_FIRST_FREE = """
SELECT wanted.slug FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (slug, place)
WHERE NOT EXISTS (SELECT FROM articles WHERE articles.slug = wanted.slug) ORDER BY wanted.place LIMIT 1
"""


class Companions(NamedTuple):
    """Rows of a room above that are written with a new article, in its statement and so in its transaction.

    `rows` is the text `, name AS (INSERT … FROM article …)` with its own placeholders, or empty: the new row is
    `article`, and nothing of the statement is in the tables yet. `values` fill the placeholders. `written` is called
    afterwards with the article's id; what has to wait for the end of the transaction, it passes to on_commit.
    """

    rows: str
    values: Mapping[str, Any]
    written: Callable[[int], object]


_companions: Callable[[], Companions | None] = lambda: None  # noqa: E731


def accompanied_by(companions: Callable[[], Companions | None]) -> None:
    """Makes `companions` the source of what is written with each new article; None: nothing now."""
    global _companions
    _companions = companions


def insert(columns: dict[str, Any], author: str) -> dict[str, Any] | None:
    """Writes the rows; returns the generated values: id, slug, content_hash, created_at, updated_at. None, and
    nothing written, when another article has the slug.

    `columns` are those of `articles`; None means the database's default.
    """
    companions = _companions()
    values: dict[str, Any] = {**columns, "metadata": Jsonb(columns["metadata"]), "author": author}
    if companions:
        values |= companions.values
    with prepared_statements.cursor() as cursor:
        cursor.execute(_statement(companions.rows if companions else ""), values)
        row = cursor.fetchone()
    if row is None:
        return None
    made = dict(zip(_GENERATED, row, strict=True))
    if companions:
        companions.written(made["id"])
    return made


@cache
def _statement(companions: str) -> str:
    return _INSERT.format(companions=companions, generated=", ".join(_GENERATED))


def slugs_to_try(given: str, title: str) -> Iterator[str]:
    """The slug that was given, and no other; or the title's own, and then what seems free."""
    if given:
        yield given
        return
    yield slugs.slug_from(title)
    for _ in range(_SLUG_TRIES):
        yield first_free(slugs.candidates(title))


def first_free(wanted: list[str]) -> str:
    """The first of these slugs that no article has; when all are taken, the last."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_FREE, [wanted])
        found = cursor.fetchone()
        return str(found[0]) if found else wanted[-1]
