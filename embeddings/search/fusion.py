"""Joins two rankings into one; pure.

A convex combination of scores that are brought to 0 to 1 (Bruch, Gai, Ingber: "An Analysis of Fusion Functions for
Hybrid Retrieval", ACM TOIS 2023). By rank alone (Reciprocal Rank Fusion) a poor match of words counts as much as a good
one; docs/decisions/0016 has both, measured.
"""

from collections.abc import Sequence
from dataclasses import replace

from embeddings.search.reply import Hit

# What words weigh, against meaning with 1.
WORDS = 1.4


def fuse(by_meaning: Sequence[Hit], by_words: Sequence[Hit], k: int) -> list[Hit]:
    """The k best by both scores, from 0 to 1; an article shows the passage of the search by meaning, if that has it.

    Cosines are stretched over the hits, since models differ in the range they use; scores by words are shares of the
    best that is possible already.
    """
    scores: dict[str, float] = {}
    shown: dict[str, Hit] = {}
    for hits, values, weight in (
        (by_meaning, _stretched([hit.score for hit in by_meaning]), 1.0),
        (by_words, [hit.score for hit in by_words], WORDS),
    ):
        for hit, value in zip(hits, values, strict=True):
            scores[hit.slug] = scores.get(hit.slug, 0.0) + weight * value / (1 + WORDS)
            shown.setdefault(hit.slug, hit)
    best = sorted(shown, key=lambda slug: scores[slug], reverse=True)[:k]
    return [replace(shown[slug], score=round(scores[slug], 6)) for slug in best]


def _stretched(scores: Sequence[float]) -> list[float]:
    """1 for the highest, 0 for the lowest; 1 where all are equal."""
    if not scores:
        return []
    least, most = min(scores), max(scores)
    return [(score - least) / (most - least) if most > least else 1.0 for score in scores]
