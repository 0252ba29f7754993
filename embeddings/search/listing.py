"""Articles that a filter keeps, the newest first: the search without a query."""

import json

from django.db import connection

from articles.filters import Where
from embeddings.search.reply import Found, Hit
from embeddings.search.snippet import passage_of

PATH = "filter, newest first"
_READ_CHARACTERS = 1_000  # for the snippet
_NEWEST = """
SELECT slug, title, metadata, version_number, left(content, {read:d}) FROM articles
WHERE {filter} ORDER BY created_at DESC, id DESC LIMIT {k:d}
"""


def newest(where: Where, k: int) -> Found:
    """The k newest articles that a filter keeps, each with how its text begins. All fit equally: their score is 1."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST.format(read=_READ_CHARACTERS, filter=where.text, k=k), where.values)
        rows = cursor.fetchall()
    return Found([_hit(*row) for row in rows], PATH)


def _hit(slug: str, title: str, metadata: str, version: int, content: str) -> Hit:
    start, end = passage_of(content, ())
    return Hit(slug, title, 1.0, content[start:end], start, end, version, json.loads(metadata))
