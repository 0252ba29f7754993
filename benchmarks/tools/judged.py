"""Judged questions, and how well a ranking answers them."""

import math
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parents[1] / "judged" / "python_docs.txt"
_K = 10


class Judged(NamedTuple):
    """A question, and the slugs that answer it (grade 2) or help (grade 1)."""

    question: str
    answers: frozenset[str]
    helps: frozenset[str]


def read(known: Collection[str]) -> list[Judged]:
    """The questions that one of these slugs answers: the corpus differs a little between versions of Python."""
    return [judged for judged in _lines() if judged.answers & set(known)]


def _lines() -> Iterator[Judged]:
    for line in FILE.read_text().splitlines():
        if line and not line.startswith("#"):
            question, answers, helps = (part.strip() for part in line.split("|"))
            yield Judged(question, frozenset(answers.split()), frozenset(helps.split()))


def measures(questions: Sequence[Judged], rankings: Sequence[Sequence[str]]) -> dict[str, float]:
    """Of rankings of slugs: how many have an answer first, or among the first 5; its mean reciprocal rank; nDCG@10."""
    pairs = list(zip(questions, rankings, strict=True))
    return {
        "questions": len(pairs),
        "first": sum(bool(judged.answers & set(ranking[:1])) for judged, ranking in pairs),
        "in_first_5": sum(bool(judged.answers & set(ranking[:5])) for judged, ranking in pairs),
        "mrr": _mean([_reciprocal_rank(judged, ranking[:_K]) for judged, ranking in pairs]),
        "ndcg_at_10": _mean([_ndcg(judged, ranking[:_K]) for judged, ranking in pairs]),
    }


def _reciprocal_rank(judged: Judged, ranking: Sequence[str]) -> float:
    return next((1 / rank for rank, slug in enumerate(ranking, start=1) if slug in judged.answers), 0.0)


def _ndcg(judged: Judged, ranking: Sequence[str]) -> float:
    grades = [2 if slug in judged.answers else int(slug in judged.helps) for slug in ranking]
    return _gain(grades) / _gain(([2] * len(judged.answers) + [1] * len(judged.helps))[:_K])


def _gain(grades: Sequence[int]) -> float:
    return sum(float(2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(grades))


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / max(len(values), 1), 4)
