"""Two rankings become one."""

from embeddings.search.fusion import fuse
from embeddings.search.reply import Hit


def hit(slug: str, snippet: str = "") -> Hit:
    return Hit(slug, slug, 0.0, snippet, 0, 0, 1, {})


def test_what_both_rankings_have_comes_before_what_one_has() -> None:
    fused = fuse([[hit("a"), hit("b")], [hit("c"), hit("b")]], k=10)
    assert [h.slug for h in fused] == ["b", "a", "c"]


def test_scores_are_the_sums_of_reciprocal_ranks() -> None:
    first, second = fuse([[hit("a"), hit("b")], [hit("a")]], k=10)
    assert (first.score, second.score) == (round(2 / 61, 6), round(1 / 62, 6))


def test_an_article_shows_the_passage_of_the_first_ranking() -> None:
    (found,) = fuse([[hit("a", "by meaning")], [hit("a", "by words")]], k=1)
    assert found.snippet == "by meaning"


def test_no_more_than_k_come_back() -> None:
    assert len(fuse([[hit(str(n)) for n in range(9)]], k=4)) == 4


def test_nothing_fused_is_nothing() -> None:
    assert fuse([[], []], k=5) == []
