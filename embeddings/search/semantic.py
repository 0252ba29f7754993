"""Nearest chunks of one space, best one per article: exactly, or through the space's approximate index."""

import json
from typing import Any, NamedTuple

from articles.filters import EVERYTHING, Where
from embeddings.models import Space
from embeddings.search import plans
from embeddings.search.plans import Plan
from embeddings.search.reply import Found, Hit
from embeddings.storage import ann_index
from embeddings.storage.vectors import VectorParameter, WireVector
from lib import prepared_statements

CHUNKS_PER_HIT = 3
_WIDER = 8


class _Asked(NamedTuple):
    space: Space
    vector: WireVector
    k: int
    where: Where


class _Rows(NamedTuple):
    """What a statement found. Fewer chunks `seen` than requested means that there are no more; `kept` is how many
    articles the filter keeps, where the statement counts them."""

    hits: list[Hit]
    seen: int
    kept: int


def nearest(space: Space, vector: WireVector, k: int, where: Where = EVERYTHING) -> Found:
    """The k articles nearest to a vector, by cosine, of those that a filter keeps.

    If several chunks of few articles occupy the nearest places, it searches further until k articles are found or
    there are no more.
    """
    asked = _Asked(space, vector, k, where)
    chunks = k * CHUNKS_PER_HIT
    plan = first_plan(space, where)
    found = _ask(asked, plan, chunks)
    if otherwise := second_plan(space, plan, len(found.hits) < k, found.kept):
        plan = otherwise
        found = _ask(asked, plan, chunks)
    while len(found.hits) < k and found.seen >= chunks:
        chunks *= _WIDER
        found = _ask(asked, plan, chunks)
    return Found(found.hits, str(plan))


def first_plan(space: Space, where: Where) -> Plan:
    """Exact if there is a filter, which may keep few articles, or no usable approximate index."""
    if where.is_filter:
        return Plan.OF_KEPT
    return Plan.INDEX if ann_index.is_usable(space) else Plan.EVERY_VECTOR


def second_plan(space: Space, first: Plan, is_short: bool, kept: int) -> Plan | None:
    """The plan to ask after the first one, which found fewer articles than wanted (`is_short`), or whose filter keeps
    too many; None if the first one does."""
    if first is Plan.INDEX and is_short:
        return Plan.INDEX_UNTIL_ENOUGH
    if first is Plan.OF_KEPT and kept > plans.EXACT_FILTER_MOST:
        return Plan.INDEX_FILTERED if ann_index.is_usable(space) else Plan.FILTERED
    return None


def _ask(asked: _Asked, plan: Plan, chunks: int) -> _Rows:
    values = {"vector": VectorParameter(asked.vector), **asked.where.values}
    # only this plan is right however the tables grow, whatever the filter
    with prepared_statements.cursor(kept=plan is Plan.INDEX) as cursor:
        cursor.execute(plans.sql(asked.space, plan, asked.k, chunks, asked.where.text), values)
        rows = cursor.fetchall()
    kept = 0
    if plan is Plan.OF_KEPT:
        kept = rows[0][-1]
        rows = [row[:-1] for row in rows if row[0] is not None]
    return _Rows([_hit(row) for row in rows], rows[0][-1] if rows else 0, kept)


def _hit(row: tuple[Any, ...]) -> Hit:
    slug, title, metadata, version, distance, start, end, snippet, _ = row
    return Hit(slug, title, round(1 - distance, 6), snippet, start, end, version, json.loads(metadata))
