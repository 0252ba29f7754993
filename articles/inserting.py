"""The one statement that makes an article and its first version: half of what a save costs is round trips."""

from typing import Any

from psycopg.types.json import Jsonb

from articles import prepared

# Of several slugs, the first that is free; a slug that somebody chose is taken as it is, and may collide.
_INSERT = """
WITH article AS (
    INSERT INTO articles (id, slug, title, content, metadata, version_number, created_at, updated_at)
    SELECT coalesce(%(id)s::bigint, nextval(pg_get_serial_sequence('articles', 'id'))),
           (SELECT wanted.slug FROM unnest(%(slugs)s::text[]) WITH ORDINALITY AS wanted (slug, place)
            WHERE cardinality(%(slugs)s::text[]) = 1
               OR NOT EXISTS (SELECT FROM articles taken WHERE taken.slug = wanted.slug)
            ORDER BY wanted.place LIMIT 1),
           %(title)s::text, %(content)s::text, %(metadata)s::jsonb, %(version_number)s::int,
           coalesce(%(created_at)s::timestamptz, now()), coalesce(%(updated_at)s::timestamptz, now())
    RETURNING *
), version AS (
    INSERT INTO article_versions (article_id, version_number, title, content, author)
    SELECT id, version_number, title, content, %(author)s::text FROM article
)
SELECT id, slug, content_hash, created_at, updated_at FROM article
"""


def insert(columns: dict[str, Any], slugs: list[str], author: str) -> dict[str, Any]:
    """Writes both rows; answers the columns that the database made: id, slug, content_hash, created_at, updated_at.

    `columns` are those of `articles` but for the slug; None stands for the database's default. Raises IntegrityError
    when the slug, or the last that was free a moment ago, is taken.
    """
    values = {**columns, "metadata": Jsonb(columns["metadata"]), "slugs": slugs, "author": author}
    with prepared.cursor() as cursor:
        cursor.execute(_INSERT, values)
        return dict(zip((column.name for column in cursor.description), cursor.fetchone(), strict=True))
