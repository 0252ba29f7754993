"""Reads and writes the vectors of articles in the database."""

from collections.abc import Iterable, Sequence

from django.db import DatabaseError, InterfaceError, connection

from embeddings import recipes
from embeddings.indexing.render import Rendered
from embeddings.models import Space
from embeddings.storage import vectors
from embeddings.storage.vectors import Known, StoredChunk, WireVector
from lib import database_connection


class RecipeConflictError(DatabaseError):
    """The vectors were made by another recipe than the space has; nothing is stored."""


_NOTHING_HASH = b"\0" * 16


def reusable(space: Space, articles: Iterable[Rendered]) -> Known:
    """The vectors that these articles' chunks already have in the space: unchanged text is never paid for twice."""
    hashes = {text_hash for article in articles for text_hash in article.hashes}
    return vectors.known(space.pk, list(hashes)) if hashes else Known({}, {})


def stored_meanwhile(space: Space, hashes: list[bytes]) -> dict[bytes, WireVector]:
    """Vectors of these texts stored between two requests; none if the database fails."""
    try:
        found = vectors.known(space.pk, hashes)
        return found.kept | found.stored
    except (DatabaseError, InterfaceError):  # the vectors paid for until now matter more
        return {}
    finally:
        database_connection.release()


def store(space: Space, articles: Sequence[Rendered], by_hash: dict[bytes, WireVector]) -> None:
    """Makes these the only vectors that the articles have in the space; call it inside a transaction. Raises
    RecipeConflictError if the space has another recipe than the one they were made by."""
    if articles:
        ids = [article.source.article_id for article in articles]
        vectors.replace(space.pk, ids, (row for article in articles for row in _rows(article, by_hash)))
        demand_recipe(space)


def demand_recipe(space: Space) -> None:
    """Raises RecipeConflictError unless the row lives and has the recipe that `space` was read with, and this process.
    After rows were written their foreign key keeps the recipe from being changed until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT fingerprint FROM embedding_spaces WHERE id = %s AND state <> 'retired'", [space.pk]
        )
        row = cursor.fetchone()
    if row != (space.fingerprint,) or not recipes.fits(space):
        raise RecipeConflictError(f"space {space.pk} has another recipe than these vectors")


def _rows(article: Rendered, by_hash: dict[bytes, WireVector]) -> Iterable[StoredChunk]:
    source, total = article.source, len(article.chunks)
    if not total:
        yield StoredChunk(
            source.article_id, 0, 0, 0, 0, _NOTHING_HASH, source.version_number, source.content_hash, None
        )
    article_id, version, source_hash, _, _ = source
    for index, ((start, end, _), text_hash) in enumerate(zip(article.chunks, article.hashes, strict=True)):
        vector = by_hash[text_hash]
        yield StoredChunk(article_id, index, total, start, end, text_hash, version, source_hash, vector)
