"""Vectors of incomplete articles: read by text hash, removed when their article no longer needs them."""

import secrets
from collections.abc import Collection, Sequence

from django.db import connection, transaction

from embeddings.storage.vectors import WireVector
from lib import sql_arrays

_OF_ARTICLES = """
SELECT text_hash, embedding FROM kept_vectors WHERE article_id = ANY(%s::bigint[]) AND space_id = %s::bigint
"""
_TRY = """
INSERT INTO kept_vectors (article_id, space_id, text_hash, embedding, chunks_to_embed, kept_at)
SELECT a.id, %s::bigint, %s::bytea, '', 1, statement_timestamp() FROM articles a, (
    SELECT set_config('lock_timeout', %s, true)) AS bounded
WHERE a.id <> ALL(%s::bigint[]) ORDER BY a.id LIMIT 1
"""
_LOCK_MILLISECONDS = "1000"
_REMOVE = "DELETE FROM kept_vectors WHERE article_id = ANY(%s::bigint[]) AND space_id = %s::bigint"
_REMOVE_ALL = "DELETE FROM kept_vectors WHERE article_id = ANY(%s::bigint[])"


def of_articles(space_id: int, article_ids: Collection[int]) -> dict[bytes, WireVector]:
    """The kept vectors of these articles in a space, by text hash."""
    if not article_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_OF_ARTICLES, [sql_arrays.of_integers(article_ids), space_id])
        return {bytes(text_hash): bytes(vector) for text_hash, vector in cursor.fetchall()}


def try_write(space_id: int, besides: Sequence[int]) -> None:
    """Writes a row of an article other than these and rolls back. Raises the database's error; does nothing if there is
    no other article."""
    text_hash = secrets.token_bytes(16)  # not that of another process, which would wait
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TRY, [space_id, text_hash, _LOCK_MILLISECONDS, sql_arrays.of_integers(besides)])
        transaction.set_rollback(True)


def remove(space_id: int, article_ids: Collection[int]) -> None:
    """Deletes the kept vectors of these articles in a space."""
    if article_ids:
        with connection.cursor() as cursor:
            cursor.execute(_REMOVE, [sql_arrays.of_integers(article_ids), space_id])


def forget(article_ids: Collection[int]) -> None:
    """Deletes the kept vectors of these articles in all spaces, before they are re-embedded."""
    if article_ids:
        with connection.cursor() as cursor:
            cursor.execute(_REMOVE_ALL, [sql_arrays.of_integers(article_ids)])
