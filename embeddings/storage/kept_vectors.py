"""Vectors of incomplete articles: read by text hash, removed when their article no longer needs them."""

from collections.abc import Collection

from django.db import connection

from embeddings.storage.vectors import WireVector
from lib import sql_arrays

_OF_ARTICLES = """
SELECT text_hash, embedding FROM kept_vectors WHERE article_id = ANY(%s::bigint[]) AND space_id = %s::bigint
"""
_REMOVE = "DELETE FROM kept_vectors WHERE article_id = ANY(%s::bigint[]) AND space_id = %s::bigint"
_REMOVE_ALL = "DELETE FROM kept_vectors WHERE article_id = ANY(%s::bigint[])"


def of_articles(space_id: int, article_ids: Collection[int]) -> dict[bytes, WireVector]:
    """The kept vectors of these articles in a space, by text hash."""
    if not article_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_OF_ARTICLES, [sql_arrays.of_integers(article_ids), space_id])
        return {bytes(text_hash): bytes(vector) for text_hash, vector in cursor.fetchall()}


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
