"""Reads and writes the vectors of articles in the database."""

from collections.abc import Iterable, Sequence

from django.db import DatabaseError, InterfaceError

from embeddings.indexing.render import Rendered
from embeddings.models import Space
from embeddings.storage import vectors
from embeddings.storage.vectors import Known, StoredChunk, WireVector
from lib import database_connection

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
    """Makes these the only vectors that the articles have in the space; call it inside a transaction."""
    if articles:
        ids = [article.source.article_id for article in articles]
        vectors.replace(space.pk, ids, (row for article in articles for row in _rows(article, by_hash)))


def _rows(article: Rendered, by_hash: dict[bytes, WireVector]) -> Iterable[StoredChunk]:
    source, total = article.source, len(article.chunks)
    if not total:
        yield StoredChunk(
            source.article_id, 0, 0, 0, 0, _NOTHING_HASH, source.version_number, source.content_hash, None
        )
    for index, (chunk, text_hash) in enumerate(zip(article.chunks, article.hashes, strict=True)):
        yield StoredChunk(
            source.article_id,
            index,
            total,
            chunk.start,
            chunk.end,
            text_hash,
            source.version_number,
            source.content_hash,
            by_hash[text_hash],
        )
