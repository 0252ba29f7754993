"""The statements that find the nearest chunks of one space, best one per article."""

from enum import Enum

from embeddings.models import Space
from embeddings.search.reply import MAX_SNIPPET
from embeddings.storage import ann_index
from embeddings.text.chunking import MAX_CHARACTERS

# recall@10 over 100,000 × 384 is above 0.99 from here on (benchmarks/search.py)
EF_SEARCH = 100
_EF_SEARCH_MOST = 1_000
# A filter that keeps at most this many articles is searched exactly: the index would read the wrong places.
EXACT_FILTER_MOST = 5_000
_SCAN_TUPLES_MOST = 200_000

# The space's id, its width, the cast and the limits are literals: with parameters Postgres could not use a partial
# index (embeddings/storage/ann_index.py has the same words), and would not keep a plan that depends on the limit.
_DISTANCE = "e.embedding::{type} <=> %(vector)s::vector::{type}"
_EVERY_VECTOR = """
    SELECT e.article_id, e.span, e.source_version, e.source_hash, {distance} AS distance
    FROM article_embeddings e
    WHERE e.space_id = {space:d} ORDER BY {distance} LIMIT {chunks:d}
"""
# The condition without columns is evaluated before the index is read: it sets how many candidates are looked at, and
# whether the scan continues until there are enough.
_BY_INDEX = """
    SELECT e.article_id, e.span, e.source_version, e.source_hash, {distance} AS distance
    FROM article_embeddings e
    WHERE (SELECT set_config('hnsw.ef_search', '{ef_search:d}', true)) IS NOT NULL
      AND e.space_id = {space:d} ORDER BY {distance} LIMIT {chunks:d}
"""
_BY_INDEX_UNTIL_ENOUGH = """
    SELECT e.article_id, e.span, e.source_version, e.source_hash, {distance} AS distance
    FROM article_embeddings e
    WHERE (SELECT set_config('hnsw.ef_search', '{ef_search:d}', true)
               || set_config('hnsw.iterative_scan', 'relaxed_order', true)
               || set_config('hnsw.max_scan_tuples', '{scan_tuples:d}', true)) IS NOT NULL
      AND e.space_id = {space:d} ORDER BY {distance} LIMIT {chunks:d}
"""
_BY_INDEX_FILTERED = """
    SELECT e.article_id, e.span, e.source_version, e.source_hash, {distance} AS distance
    FROM article_embeddings e
    WHERE (SELECT set_config('hnsw.ef_search', '{ef_search:d}', true)
               || set_config('hnsw.iterative_scan', 'relaxed_order', true)
               || set_config('hnsw.max_scan_tuples', '{scan_tuples:d}', true)) IS NOT NULL
      AND e.space_id = {space:d}
      AND EXISTS (SELECT FROM articles WHERE articles.id = e.article_id AND {filter})
    ORDER BY {distance} LIMIT {chunks:d}
"""
# OFFSET 0 keeps the order out of the inner query, and with it the approximate index; `kept` is in _OF_KEPT
_OF_KEPT_ARTICLES = """
    SELECT * FROM (
        SELECT e.article_id, e.span, e.source_version, e.source_hash, {distance} AS distance
        FROM article_embeddings e
        WHERE e.article_id = ANY(ARRAY(SELECT id FROM kept WHERE (SELECT count(*) FROM kept) <= {exact_most:d}))
          AND e.space_id = {space:d} AND e.embedding IS NOT NULL
        OFFSET 0
    ) all_of_them
    ORDER BY distance LIMIT {chunks:d}
"""
_FILTERED = """
    SELECT * FROM (
        SELECT e.article_id, e.span, e.source_version, e.source_hash, {distance} AS distance
        FROM (SELECT id FROM articles WHERE {filter}) kept
        JOIN article_embeddings e ON e.article_id = kept.id AND e.space_id = {space:d}
        WHERE e.embedding IS NOT NULL OFFSET 0
    ) all_of_them
    ORDER BY distance LIMIT {chunks:d}
"""
# An article's old text is read only if its chunk is of an old version, and bounded before anything reads it.
_HITS = """
WITH candidates AS MATERIALIZED ({candidates}),
best AS (
    SELECT DISTINCT ON (article_id) * FROM candidates WHERE distance IS NOT NULL ORDER BY article_id, distance
),
nearest AS (SELECT * FROM best ORDER BY distance LIMIT {k:d})
SELECT a.slug, a.title, a.metadata, nearest.source_version, nearest.distance,
       coalesce(lower(nearest.span), 0), coalesce(upper(nearest.span), 0),
       left(ltrim(substr(
           CASE WHEN a.content_hash = nearest.source_hash THEN a.content ELSE coalesce(old.content, '') END,
           coalesce(lower(nearest.span), 0) + 1,
           least(coalesce(upper(nearest.span) - lower(nearest.span), 0), {longest:d})
       ), E' \\t\\n\\r\\f\\x0b'), {snippet:d}),
       {seen}
FROM nearest
JOIN articles a ON a.id = nearest.article_id
LEFT JOIN LATERAL (
    SELECT v.content FROM article_versions v
    WHERE v.article_id = nearest.article_id AND v.version_number = nearest.source_version
      AND a.content_hash <> nearest.source_hash
    LIMIT 1
) old ON true
ORDER BY nearest.distance
"""
_SEEN = "(SELECT count(*) FROM candidates)"
# Whether a filter keeps few articles, and the nearest of them if it does, at once: one row, without a hit, if it keeps
# more. Their ids need not travel, and the planner need not look at each.
_OF_KEPT = """
WITH kept AS MATERIALIZED (SELECT id FROM articles WHERE {filter} LIMIT {exact_most:d} + 1)
SELECT hits.*, counted.articles
FROM (SELECT count(*) AS articles FROM kept) counted LEFT JOIN ({hits}) hits ON true
ORDER BY hits.distance
"""


class Plan(Enum):
    """How a search runs: its name in replies, and the statement of its candidates.

    One read of the index gives the best of EF_SEARCH candidates. Rows deleted but not yet vacuumed are among them, so
    that it can give fewer than there are; a scan that continues until there are enough is a tenth slower. With a filter
    it always continues.
    """

    EVERY_VECTOR = ("exact", _EVERY_VECTOR)
    OF_KEPT = ("exact, filtered", _OF_KEPT_ARTICLES)  # the few articles that a filter keeps
    FILTERED = ("exact, filtered", _FILTERED)  # many, and there is no index
    INDEX = ("approximate", _BY_INDEX)
    INDEX_UNTIL_ENOUGH = ("approximate", _BY_INDEX_UNTIL_ENOUGH)
    INDEX_FILTERED = ("approximate, filtered", _BY_INDEX_FILTERED)

    def __str__(self) -> str:
        return self.value[0]

    @property
    def candidates(self) -> str:
        return self.value[1]


def sql(space: Space, plan: Plan, k: int, chunks: int, filter: str = "true") -> str:
    """The statement of a plan for k articles among the nearest chunks. It needs `vector` in binary form; the filtered
    ones need `filter`, the condition, and its values. OF_KEPT has one column more: how many articles the filter keeps,
    counted to EXACT_FILTER_MOST + 1."""
    candidates = plan.candidates.format(
        distance=_DISTANCE.format(type=ann_index.column_type(space)),
        space=space.pk,
        filter=filter,
        chunks=chunks,
        exact_most=EXACT_FILTER_MOST,
        ef_search=ef_search(chunks),
        scan_tuples=_SCAN_TUPLES_MOST,
    )
    # counting them shows in so short a statement, and one read of the index ends before there are no more
    seen = chunks if plan is Plan.INDEX else _SEEN
    hits = _HITS.format(candidates=candidates, k=k, longest=MAX_CHARACTERS, snippet=MAX_SNIPPET, seen=seen)
    if plan is not Plan.OF_KEPT:
        return hits
    return _OF_KEPT.format(filter=filter, exact_most=EXACT_FILTER_MOST, hits=hits)


def ef_search(chunks: int) -> int:
    """As many candidates as chunks are wanted, within what pgvector allows."""
    return min(max(EF_SEARCH, chunks), _EF_SEARCH_MOST)
