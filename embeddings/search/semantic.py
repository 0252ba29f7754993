"""Nearest chunks of one space, best one per article: exactly, or through the space's approximate index."""

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection

from embeddings.models import Space
from embeddings.search.reply import MAX_SNIPPET, Found, Hit
from embeddings.storage import ann_index
from embeddings.storage.vectors import WireVector, as_text
from embeddings.text.chunking import MAX_CHARACTERS

# A filter that keeps at most this many articles is searched exactly: the index would read the wrong places.
EXACT_FILTER_MOST = 5_000
# recall@10 over 100,000 × 384 is above 0.99 from here on (benchmarks/search.py)
EF_SEARCH = 100
_EF_SEARCH_MOST = 1_000
_SCAN_TUPLES_MOST = 200_000
CHUNKS_PER_HIT = 3
_WIDER = 8

# The space's id, its width and the cast are literals, word for word as in the index
# (embeddings/storage/ann_index.py): with parameters Postgres could not use a partial index.
_DISTANCE = "e.embedding::{type} <=> %(vector)s::{type}"
_ANY = """
    SELECT e.article_id, e.span, e.source_version, e.source_hash, {distance} AS distance
    FROM article_embeddings e
    WHERE e.space_id = {space:d} {matching}
    ORDER BY {distance} LIMIT %(chunks)s
"""
_MATCHING = (
    "AND EXISTS (SELECT FROM articles f WHERE f.id = e.article_id AND f.metadata @> %(filter)s::jsonb)"
)
# OFFSET 0 keeps the order out of the inner query, and with it the approximate index
_EXACT = """
    SELECT * FROM (
        SELECT e.article_id, e.span, e.source_version, e.source_hash, {distance} AS distance
        FROM (SELECT id FROM articles WHERE metadata @> %(filter)s::jsonb) kept
        JOIN article_embeddings e ON e.article_id = kept.id AND e.space_id = {space:d}
        WHERE e.embedding IS NOT NULL OFFSET 0
    ) all_of_them
    ORDER BY distance LIMIT %(chunks)s
"""
# bounded before anything reads it, whatever the span
_HITS = """
WITH candidates AS MATERIALIZED ({candidates}),
best AS (
    SELECT DISTINCT ON (article_id) * FROM candidates WHERE distance IS NOT NULL ORDER BY article_id, distance
)
SELECT a.slug, a.title, a.metadata, best.source_version, best.distance,
       coalesce(lower(best.span), 0), coalesce(upper(best.span), 0),
       left(ltrim(substr(
           CASE WHEN a.content_hash = best.source_hash THEN a.content ELSE coalesce(v.content, '') END,
           coalesce(lower(best.span), 0) + 1,
           least(coalesce(upper(best.span) - lower(best.span), 0), {longest:d})
       ), E' \\t\\n\\r\\f\\x0b'), {snippet:d}),
       (SELECT count(*) FROM candidates)
FROM best
JOIN articles a ON a.id = best.article_id
LEFT JOIN article_versions v ON v.article_id = a.id AND v.version_number = best.source_version
     AND a.content_hash <> best.source_hash
ORDER BY best.distance LIMIT %(k)s
"""


@dataclass(frozen=True)
class Plan:
    """How a search runs: it compares every vector, or reads the approximate index, with or without a metadata filter.
    An exact plan with a filter starts from the articles that the filter keeps."""

    exact: bool
    filtered: bool = False

    def __str__(self) -> str:
        """As replies name it, for people."""
        name = "exact" if self.exact else "approximate"
        return f"{name}, filtered" if self.filtered else name


def nearest(space: Space, vector: WireVector, k: int, metadata: dict[str, Any] | None) -> Found:
    """The k articles nearest to a vector, by cosine; `metadata` keeps only articles that contain it.

    If several chunks of few articles occupy the nearest places, it searches further until k articles are found or
    there are no more.
    """
    plan = plan_for(space, metadata)
    chunks = k * CHUNKS_PER_HIT
    hits, seen = _ask(space, vector, k, metadata, plan, chunks)
    while len(hits) < k and seen >= chunks:
        chunks *= _WIDER
        hits, seen = _ask(space, vector, k, metadata, plan, chunks)
    return Found(hits, str(plan))


def plan_for(space: Space, metadata: dict[str, Any] | None) -> Plan:
    """Exact if the filter keeps few articles, or the space has no usable approximate index."""
    if metadata and _kept_by(metadata) <= EXACT_FILTER_MOST:
        return Plan(exact=True, filtered=True)
    return Plan(exact=not ann_index.is_usable(space), filtered=bool(metadata))


def _kept_by(metadata: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM articles WHERE metadata @> %s::jsonb LIMIT %s) kept",
            [json.dumps(metadata), EXACT_FILTER_MOST + 1],
        )
        return int(cursor.fetchone()[0])


def _ask(
    space: Space, vector: WireVector, k: int, metadata: dict[str, Any] | None, plan: Plan, chunks: int
) -> tuple[list[Hit], int]:
    """(hits, chunks seen); fewer chunks than requested means that there are no more."""
    arguments: dict[str, str | int] = {
        "vector": as_text(vector),
        "filter": json.dumps(metadata),
        "chunks": chunks,
        "k": k,
    }
    with connection.cursor() as cursor:
        if not plan.exact:
            # two statements sent as one are one transaction, the scope of the tuning
            cursor.execute(_TUNE + sql(space, plan), arguments | {"ef_search": _ef_search(chunks)})
            cursor.nextset()
        else:
            cursor.execute(sql(space, plan), arguments)
        rows = cursor.fetchall()
    return [_hit(row) for row in rows], rows[0][-1] if rows else 0


_TUNE = f"""
SELECT set_config('hnsw.ef_search', %(ef_search)s::text, true),
       set_config('hnsw.iterative_scan', 'relaxed_order', true),
       set_config('hnsw.max_scan_tuples', '{_SCAN_TUPLES_MOST}', true);
"""


def _ef_search(chunks: int) -> int:
    """As many candidates as chunks are wanted, within what pgvector allows."""
    return min(max(EF_SEARCH, chunks), _EF_SEARCH_MOST)


def sql(space: Space, plan: Plan) -> str:
    """The statement of a plan; needs vector, filter, chunks and k."""
    distance = _DISTANCE.format(type=ann_index.column_type(space))
    if plan.exact and plan.filtered:
        candidates = _EXACT.format(distance=distance, space=space.pk)
    else:
        matching = _MATCHING if plan.filtered else ""
        candidates = _ANY.format(distance=distance, space=space.pk, matching=matching)
    return _HITS.format(candidates=candidates, longest=MAX_CHARACTERS, snippet=MAX_SNIPPET)


def _hit(row: tuple[Any, ...]) -> Hit:
    slug, title, metadata, version, distance, start, end, snippet, _ = row
    return Hit(slug, title, round(1 - distance, 6), snippet, start, end, version, json.loads(metadata))
