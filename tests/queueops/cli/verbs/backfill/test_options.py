"""What the verbs of a backfill share: the share of a stage, and the sentences about what is found; pure."""

from argparse import ArgumentTypeError

import pytest

from queueops.cli.verbs.backfill import options
from queueops.monitoring.article_filter import ArticleFilter, Found
from queueops.operate.backfill.estimation import Estimate


@pytest.mark.parametrize(
    ("text", "share"), [("10%", 10.0), ("10", 10.0), ("0.5%", 0.5), ("100%", 100.0), ("1e1", 10.0)]
)
def test_a_share_is_a_percentage(text: str, share: float) -> None:
    assert options.percent(text) == share


@pytest.mark.parametrize("text", ["", "%", "0", "0%", "-1%", "100.1%", "ten", "10%%", "nan", "inf", "1/2"])
def test_an_invalid_share_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ArgumentTypeError) as refused:
        options.percent(text)
    assert str(refused.value) == f"invalid share {text!r}: use a percentage above 0 and up to 100, e.g. 10%"


def test_the_options_become_a_filter() -> None:
    given = {"filters": ["old-", {"team": "x"}], "only_failed": True, "limit": 5, "stage": 10.0}
    assert options.article_filter(given) == ArticleFilter(
        metadata={"team": "x"}, slug="old-", only_failed=True, limit=5, stage=10.0
    )


@pytest.mark.parametrize(
    ("articles", "start", "end"),
    [
        (0, "Every matching article is embedded or queued.", "queued."),
        (1, "1 article to queue: ", "manage.py embed_migrate run"),
        (12_000, "12,000 articles to queue: ", "manage.py embed_migrate run"),
    ],
)
def test_what_is_missing_is_said_with_the_next_command(articles: int, start: str, end: str) -> None:
    sentence = options.missing(Found(articles, 7))
    assert (sentence.startswith(start), sentence.endswith(end)) == (True, True)


@pytest.mark.parametrize(
    ("articles", "lines"),
    [
        (0, []),
        (1, ["Skipped: 1 article whose task failed. To queue them, add --only-failed."]),
        (2_000, ["Skipped: 2,000 articles whose task failed. To queue them, add --only-failed."]),
    ],
)
def test_parked_articles_are_said_with_the_option_that_takes_them(articles: int, lines: list[str]) -> None:
    assert [str(line) for line in options.parked(articles)] == lines


def test_without_an_estimate_nothing_is_shown() -> None:
    none: list[Estimate] = []
    assert options.estimated(none) == []
