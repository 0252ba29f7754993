"""Joins two rankings into one; pure."""

from collections.abc import Sequence
from dataclasses import replace

from embeddings.search.reply import Hit

# Cormack, Clarke, Büttcher: "Reciprocal Rank Fusion outperforms Condorcet …", SIGIR 2009: score = Σ 1 / (60 + rank)
_DAMPING = 60


def fuse(rankings: Sequence[Sequence[Hit]], k: int) -> list[Hit]:
    """The k best by reciprocal rank; an article shows the snippet of the first ranking that has it."""
    scores: dict[str, float] = {}
    shown: dict[str, Hit] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking, start=1):
            scores[hit.slug] = scores.get(hit.slug, 0.0) + 1 / (_DAMPING + rank)
            shown.setdefault(hit.slug, hit)
    best = sorted(shown, key=lambda slug: scores[slug], reverse=True)[:k]
    return [replace(shown[slug], score=round(scores[slug], 6)) for slug in best]
