"""Two rankings become one."""

import pytest

from embeddings.search.fusion import WORDS, fuse
from embeddings.search.reply import Hit


def hit(slug: str, score: float = 0.5, snippet: str = "") -> Hit:
    return Hit(slug, slug, score, snippet, 0, 0, 1, {})


def slugs(hits: list[Hit]) -> list[str]:
    return [one.slug for one in hits]


@pytest.mark.parametrize(
    ("by_meaning", "by_words", "best"),
    [
        ([hit("a", 0.7), hit("b", 0.6), hit("z", 0.1)], [hit("b", 0.9)], "b"),  # good in both
        (
            [hit("a", 0.7), hit("b", 0.2), hit("z", 0.1)],
            [hit("b", 0.2)],
            "a",
        ),  # a poor match of words decides nothing
        ([hit("a", 0.7), hit("z", 0.1)], [hit("c", 0.95)], "c"),  # an identifier that meaning does not know
        ([], [hit("c", 0.3)], "c"),
        ([hit("a", 0.3)], [], "a"),
    ],
)
def test_the_best_by_both_scores_comes_first(by_meaning: list[Hit], by_words: list[Hit], best: str) -> None:
    fused = fuse(by_meaning, by_words, k=10)
    assert fused[0].slug == best
    scores = [one.score for one in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= one <= 1 for one in scores)


def test_cosines_count_by_their_place_between_the_least_and_the_greatest() -> None:
    narrow = fuse([hit("a", 0.92), hit("b", 0.91), hit("c", 0.90)], [], k=3)
    wide = fuse([hit("a", 0.9), hit("b", 0.5), hit("c", 0.1)], [], k=3)
    assert [one.score for one in narrow] == [one.score for one in wide]
    assert wide[0].score == round(1 / (1 + WORDS), 6)


def test_an_article_shows_the_passage_of_the_search_by_meaning() -> None:
    (found,) = fuse([hit("a", snippet="by meaning")], [hit("a", snippet="by words")], k=1)
    assert found.snippet == "by meaning"


def test_no_more_than_k_come_back() -> None:
    assert slugs(fuse([hit(str(n), 1 - n / 10) for n in range(9)], [], k=4)) == ["0", "1", "2", "3"]


def test_nothing_fused_is_nothing() -> None:
    assert fuse([], [], k=5) == []
