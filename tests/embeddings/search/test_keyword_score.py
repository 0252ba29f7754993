"""One score from 0 to 1: by title and best passage, whatever the length of the text."""

from dataclasses import replace

import pytest

from embeddings.search.keyword_score import WINDOW, Candidate, Wanted, Weights, rarity, score, weights

ZIP = [Wanted(frozenset({"zip"})), Wanted(frozenset({"file"}))]
EVEN = Weights({"zip": 0.5, "file": 0.5}, [])


def article(
    title: str = "", spelled: str = "", joined: bool = False, joined_in_title: bool = False, **body: list[int]
) -> Candidate:
    return Candidate(frozenset(title.split()), body, frozenset(spelled.split()), [joined], [joined_in_title])


def value(candidate: Candidate, wanted: list[Wanted] = ZIP, weigh: Weights = EVEN) -> float:
    weigh = Weights(weigh.lexemes, weigh.joined or [0.0])
    return score(candidate, wanted, weigh).score


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (article(zip=[1], file=[2]), article(zip=[1])),  # all words before some
        (
            article(zip=[1], file=[2]),
            article(zip=[1, 5, 9, 13], file=[9_000]),
        ),  # in one passage before far apart
        (article("zip", zip=[1], file=[2]), article(zip=[1], file=[2])),  # in the title, too
        (article(zip=[1, 2], file=[3]), article(zip=[1], file=[3])),  # again
        (article(zip=[1], file=[2]), article(spelled="zip", file=[2])),  # as it is written
        (article(spelled="zip", file=[2]), article(file=[2])),
        (article("zip", file=[1]), article(file=[1])),
        (article("zip file"), article("zip")),
    ],
)
def test_the_better_article_has_the_higher_score(better: Candidate, worse: Candidate) -> None:
    assert 0 <= value(worse) < value(better) <= 1


def test_a_word_that_few_articles_hold_weighs_more() -> None:
    rare = weights({"zip": rarity(3, 1_000), "file": rarity(600, 1_000)}, [])
    assert value(article(zip=[1]), weigh=rare) > value(article(file=[1]), weigh=rare)
    assert sum(rare.lexemes.values()) == pytest.approx(1)


def test_a_text_does_not_rank_higher_for_being_long() -> None:
    passage = {"zip": [5], "file": [7]}
    long = {"zip": [5, *range(1_000, 60_000, 1_000)], "file": [7]}
    short = Candidate(frozenset(), passage, frozenset(), [False], [False])
    assert value(replace(short, body=long)) == value(short)


def test_a_word_repeated_without_end_adds_less_and_less() -> None:
    scores = [value(article(zip=list(range(count)))) for count in (1, 2, 4, 8, 90)]
    assert scores == sorted(scores)
    assert scores[1] - scores[0] > scores[3] - scores[2]


@pytest.mark.parametrize(
    ("places", "begins"), [([10], 0), ([260, 270], 200), ([WINDOW * 7], WINDOW * 7 - 50)]
)
def test_the_best_passage_is_named_by_its_first_word(places: list[int], begins: int) -> None:
    found = score(article(zip=places), ZIP, Weights(EVEN.lexemes, [0.0]))
    assert found.passage == begins
    assert score(article("zip"), ZIP, Weights(EVEN.lexemes, [0.0])).passage is None


JOINED = [Wanted(frozenset({"tcp", "ip"}), (0,))]
TCP = Weights({"tcp": 0.3, "ip": 0.2}, [0.5])


def test_a_joined_word_counts_more_than_its_parts() -> None:
    apart, whole = article(tcp=[1], ip=[9]), article(joined=True, tcp=[1], ip=[2])
    in_title = article("tcp ip", joined=True, joined_in_title=True, tcp=[1], ip=[2])
    assert value(apart, JOINED, TCP) < value(whole, JOINED, TCP) < value(in_title, JOINED, TCP)


def test_one_of_two_alternatives_is_all_that_is_asked_for() -> None:
    either = [Wanted(frozenset({"zip", "file"}), either=True)]
    assert value(article(zip=[1]), either) > value(article(zip=[1]))


def test_nothing_to_weigh_divides_by_nothing() -> None:
    assert weights({}, []) == Weights({}, [])
    assert rarity(5, 0) >= 0
