"""How well an article fits a query's words: one score from 0 to 1 by its title and its best passage; pure.

A passage is WINDOW words long and counts as in BM25: a word that few articles hold weighs more, and a word that occurs
again adds ever less (Robertson, Zaragoza: "The Probabilistic Relevance Framework: BM25 and Beyond", 2009). All passages
are equally long, so the length of an article does not matter. docs/decisions/0016 has what was measured.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WINDOW = 100
"""Words of a passage. The next one begins after half of it, so that no sentence is cut in both."""
_STEP = WINDOW // 2
# A word that occurs once counts half as much as one that occurs without end.
_SATURATION = 1.0
# A word that only another spelling of the text holds; a joined word, which stands together.
_SPELLED = 0.25
_JOINED = 0.5
# What a passage with all words adds to a score of 0 to 1, before both are brought back to 0 to 1.
_ALL_WORDS = 0.25


@dataclass(frozen=True)
class Wanted:
    """An item of a query: its lexemes, and the places of its joined words in `Candidate.joined`."""

    lexemes: frozenset[str]
    joined: tuple[int, ...] = ()
    either: bool = False


@dataclass(frozen=True)
class Weights:
    """What each lexeme and each joined word of a query weighs; together 1."""

    lexemes: Mapping[str, float]
    joined: Sequence[float]


@dataclass(frozen=True)
class Candidate:
    """What an article holds of a query's words. `title` and `spelled` are lexemes, `body` the places of each lexeme in
    the text, counted in words; `joined` and `joined_in_title` say which joined words are held."""

    title: frozenset[str]
    body: Mapping[str, Sequence[int]]
    spelled: frozenset[str]
    joined: Sequence[bool]
    joined_in_title: Sequence[bool]


@dataclass(frozen=True)
class Scored:
    """A score from 0 to 1, and where the best passage begins, in words; None if the text holds no word."""

    score: float
    passage: int | None


def rarity(holding: int, articles: int) -> float:
    """The weight of a word that so many of so many articles hold (BM25's inverse document frequency)."""
    return math.log(1 + (max(articles - holding, 0) + 0.5) / (holding + 0.5))


def weights(lexemes: Mapping[str, float], joined: Sequence[float]) -> Weights:
    """Shares of rarities."""
    total = sum(lexemes.values()) + sum(joined) or 1.0
    return Weights(
        {lexeme: value / total for lexeme, value in lexemes.items()}, [value / total for value in joined]
    )


def score(candidate: Candidate, query: Sequence[Wanted], weigh: Weights) -> Scored:
    """The score of an article that holds at least one word."""
    passages = _passages(candidate, weigh)
    best, (worth, held) = max(
        passages.items(), key=lambda item: (item[1][0], -item[0]), default=(None, (0.0, set()))
    )
    elsewhere = _SPELLED * sum(weigh.lexemes[lexeme] for lexeme in _only_spelled(candidate))
    joined = _JOINED * _share(weigh.joined, candidate.joined)
    title = sum(weigh.lexemes[lexeme] for lexeme in candidate.title)
    title += _share(weigh.joined, candidate.joined_in_title)
    relevance = (worth + elsewhere + joined + title) / 2 * _covered(candidate, weigh)
    has_all = all(_is_held(wanted, candidate, held | candidate.title) for wanted in query)
    return Scored((min(relevance, 1.0) + _ALL_WORDS * has_all) / (1 + _ALL_WORDS), best)


def _passages(candidate: Candidate, weigh: Weights) -> dict[int, tuple[float, set[str]]]:
    """Where each passage with a word begins → its worth, and the lexemes in it."""
    counts: dict[int, dict[str, int]] = {}
    for lexeme, places in candidate.body.items():
        for place in places:
            last = place // _STEP * _STEP
            for start in {max(last - _STEP, 0), last}:
                passage = counts.setdefault(start, {})
                passage[lexeme] = passage.get(lexeme, 0) + 1
    return {
        start: (
            sum(weigh.lexemes[lexeme] * n / (n + _SATURATION) for lexeme, n in passage.items()),
            set(passage),
        )
        for start, passage in counts.items()
    }


def _covered(candidate: Candidate, weigh: Weights) -> float:
    """The share of the query that the article holds anywhere."""
    lexemes = candidate.title | set(candidate.body) | candidate.spelled
    held = _share(weigh.joined, candidate.joined) + sum(weigh.lexemes[lexeme] for lexeme in lexemes)
    return min(held, 1.0)


def _only_spelled(candidate: Candidate) -> frozenset[str]:
    return candidate.spelled - candidate.title - set(candidate.body)


def _is_held(wanted: Wanted, candidate: Candidate, held: set[str] | frozenset[str]) -> bool:
    if any(candidate.joined[place] for place in wanted.joined):
        return True
    if not wanted.lexemes:
        return not wanted.joined
    found = wanted.lexemes & held
    return bool(found) if wanted.either else found == wanted.lexemes


def _share(shares: Sequence[float], held: Sequence[bool]) -> float:
    return sum(share for share, is_held in zip(shares, held, strict=True) if is_held)
