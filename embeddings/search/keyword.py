"""Articles that contain a query's words, by Postgres' full-text index."""

import json
from typing import Any

from django.db import connection

from articles.text_search import parse
from embeddings.search.reply import Found, Hit
from embeddings.search.snippet import passage_of

# Ranking reads every match: for a word in half the corpus, only this many are ranked.
_RANKED_MOST = 5_000
_READ_CHARACTERS = 20_000

_MATCHES = """
WITH asked_for AS (SELECT to_tsquery('english', %(query)s) AS query),
matches AS MATERIALIZED (
    SELECT a.id, a.keywords, asked_for.query FROM articles a, asked_for
    WHERE a.keywords @@ asked_for.query AND (%(filter)s::jsonb IS NULL OR a.metadata @> %(filter)s::jsonb)
    LIMIT %(most)s
),
best AS (SELECT id, ts_rank_cd(keywords, query) AS rank FROM matches ORDER BY rank DESC, id LIMIT %(k)s)
SELECT a.slug, a.title, a.metadata, a.version_number, best.rank, left(a.content, %(read)s)
FROM best JOIN articles a ON a.id = best.id ORDER BY best.rank DESC, a.id
"""


def matching(query: str, k: int, metadata: dict[str, Any] | None) -> Found:
    """The k best articles for a query's words; if fewer than k have all words, articles with some words follow."""
    asked = parse(query)
    hits = _ask(query, asked.all_words, k, metadata)
    if len(hits) < k:
        found = {hit.slug for hit in hits}
        hits += [hit for hit in _ask(query, asked.any_word, k, metadata) if hit.slug not in found]
    return Found(hits[:k], "full text, filtered" if metadata else "full text")


def _ask(query: str, asked: str, k: int, metadata: dict[str, Any] | None) -> list[Hit]:
    with connection.cursor() as cursor:
        cursor.execute(
            _MATCHES,
            {
                "query": asked,
                "filter": json.dumps(metadata) if metadata else None,
                "most": _RANKED_MOST,
                "k": k,
                "read": _READ_CHARACTERS,
            },
        )
        return [_hit(query, row) for row in cursor.fetchall()]


def _hit(query: str, row: tuple[Any, ...]) -> Hit:
    slug, title, metadata, version, rank, content = row
    start, end = passage_of(content, query)
    return Hit(slug, title, round(rank, 6), content[start:end], start, end, version, json.loads(metadata))
