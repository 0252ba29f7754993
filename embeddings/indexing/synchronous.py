"""Brings articles up to date at once, in the calling process: what a save does without a queue."""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection, transaction

from embeddings.indexing.embed import Vectors, embed
from embeddings.indexing.render import Rendered, Source, render
from embeddings.indexing.store import demand_recipe, reusable, store
from embeddings.models import Space
from embeddings.providers.errors import ErrorClass, ProviderError
from lib import database_connection, sql_arrays

_READ = "SELECT id, version_number, content_hash, title, content FROM articles WHERE id = ANY(%s::bigint[]) ORDER BY id"
_LOCK = """
SELECT id, content_hash, version_number FROM articles WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""


def bring_up_to_date(space: Space, article_ids: Sequence[int], deadline: float) -> int:
    """Renders, embeds and stores these articles in a space; returns how many have vectors of their current text.

    `deadline` is in seconds, for the provider's part. Raises the ProviderError of an article without vectors, after the
    others are stored, or RecipeConflictError before anything is embedded. Holds no database connection during a
    provider call.
    """
    demand_recipe(space)
    with connection.cursor() as cursor:
        cursor.execute(_READ, [sql_arrays.of_integers(article_ids)])
        rendered = [render(space, Source(*row)) for row in cursor.fetchall()]
    known = reusable(space, rendered)
    database_connection.release()
    made = embed(space, rendered, known.kept | known.stored, deadline)
    whole = [
        article
        for article in (made.instead.get(r.source.article_id, r) for r in rendered)
        if _has_all(made, article)
    ]
    stored = _store(space, whole, made)
    if len(whole) < len(rendered):
        raise _failure(made, rendered)
    return stored


def _has_all(made: Vectors, article: Rendered) -> bool:
    return all(text_hash in made.by_hash for text_hash in article.hashes)


def _failure(made: Vectors, rendered: Sequence[Rendered]) -> ProviderError:
    errors = (made.error_of(article) for article in rendered)
    nothing = ProviderError(ErrorClass.TRANSIENT, "the provider gave no vector for a text")
    return made.failure or next((error for error in errors if error), nothing)


@transaction.atomic
def _store(space: Space, articles: Sequence[Rendered], made: Vectors) -> int:
    """Stores vectors of texts that are still the newest; a newer save embeds its own."""
    newest = _newest([article.source.article_id for article in articles])
    current = [
        article
        for article in articles
        if newest.get(article.source.article_id)
        == (article.source.content_hash, article.source.version_number)
    ]
    store(space, current, made.by_hash)
    return len(current)


def _newest(article_ids: Sequence[int]) -> dict[int, tuple[UUID, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [sql_arrays.of_integers(article_ids)])
        return {
            article_id: (content_hash, version) for article_id, content_hash, version in cursor.fetchall()
        }
