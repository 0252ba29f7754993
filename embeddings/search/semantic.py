"""Nearest chunks of one space, best one per article: exactly, or through the space's approximate index."""

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection

from embeddings.models import Space
from embeddings.search.plans import Plan, sql
from embeddings.search.reply import Found, Hit
from embeddings.storage import ann_index
from embeddings.storage.vectors import VectorParameter, WireVector
from lib import prepared_statements, sql_arrays

# A filter that keeps at most this many articles is searched exactly: the index would read the wrong places.
EXACT_FILTER_MOST = 5_000
CHUNKS_PER_HIT = 3
_WIDER = 8
_KEPT = "SELECT id FROM articles WHERE metadata @> %s::jsonb LIMIT %s"


def nearest(space: Space, vector: WireVector, k: int, metadata: dict[str, Any] | None) -> Found:
    """The k articles nearest to a vector, by cosine; `metadata` keeps only articles that contain it.

    If several chunks of few articles occupy the nearest places, it searches further until k articles are found or
    there are no more.
    """
    kept = _kept_by(metadata) if metadata else None
    plan = plan_for(space, kept)
    arguments = {
        "vector": VectorParameter(vector),
        "articles": sql_arrays.of_integers(kept or []),
        "filter": json.dumps(metadata),
    }
    chunks = k * CHUNKS_PER_HIT
    hits, seen = _ask(space, plan, k, chunks, arguments)
    if plan is Plan.INDEX and len(hits) < k:
        plan = Plan.INDEX_UNTIL_ENOUGH
        hits, seen = _ask(space, plan, k, chunks, arguments)
    while len(hits) < k and seen >= chunks:
        chunks *= _WIDER
        hits, seen = _ask(space, plan, k, chunks, arguments)
    return Found(hits, str(plan))


def plan_for(space: Space, kept: Sequence[int] | None) -> Plan:
    """Exact if a filter keeps few articles, or the space has no usable approximate index. `kept` are the ids of the
    articles that a filter keeps, EXACT_FILTER_MOST + 1 at most; None: there is no filter."""
    if kept is not None and len(kept) <= EXACT_FILTER_MOST:
        return Plan.OF_ARTICLES
    if ann_index.is_usable(space):
        return Plan.INDEX if kept is None else Plan.INDEX_FILTERED
    return Plan.EVERY_VECTOR if kept is None else Plan.FILTERED


def _kept_by(metadata: dict[str, Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_KEPT, [json.dumps(metadata), EXACT_FILTER_MOST + 1])
        return [article_id for (article_id,) in cursor.fetchall()]


def _ask(space: Space, plan: Plan, k: int, chunks: int, arguments: dict[str, Any]) -> tuple[list[Hit], int]:
    """(hits, chunks seen); fewer chunks than requested means that there are no more."""
    # only this plan is right however the tables grow, whatever the filter
    with prepared_statements.cursor(kept=plan is Plan.INDEX) as cursor:
        cursor.execute(sql(space, plan, k, chunks), arguments)
        rows = cursor.fetchall()
    return [_hit(row) for row in rows], rows[0][-1] if rows else 0


def _hit(row: tuple[Any, ...]) -> Hit:
    slug, title, metadata, version, distance, start, end, snippet, _ = row
    return Hit(slug, title, round(1 - distance, 6), snippet, start, end, version, json.loads(metadata))
