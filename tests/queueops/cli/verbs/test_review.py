"""The verb that marks articles for review: its window, its question, its reason."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta

import pytest

from embeddings.models import Space
from queueops.cli.verbs.review import when
from tests.queueops.cli_runner import called
from tests.queueops.factories import make_article, make_space
from tests.queueops.operate.test_article_review import marked, review

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def space() -> Space:
    return make_space()


def test_it_says_how_many_first_and_asks() -> None:
    make_article()
    said = called("review_flag", "--since=1h", "--reason=x", "--dry-run").out
    assert said.startswith(
        "This would mark for review 1 articles that a worker processed or whose text changed from"
    )
    assert called("review_flag", "--since=1h", "--reason=x").code == 3
    assert marked() == set()


def test_a_window_may_be_given_as_times() -> None:
    make_article()
    assert review("--since=2000-01-01T00:00", "--until=2000-01-02T00:00").json["articles"] == 0
    assert review("--since=2000-01-01T00:00").json["articles"] == 1
    assert "ends before it starts" in review("--until=2000-01-01T00:00").sentence
    assert "2026-01-31T12:00 (UTC), or an age" in review("--since=yesterday").sentence


def test_a_reason_is_needed_to_change_something_but_not_to_look() -> None:
    make_article()
    assert called("review_flag", "--since=1h", "--dry-run").code == 0
    refused = called("review_flag", "--since=1h", "--yes")
    assert (refused.code, "give a reason" in refused.sentence) == (3, True)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-31T12:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31 12:00:30", datetime(2026, 1, 31, 12, 0, 30, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2h", timedelta(hours=2)),
        ("0s", timedelta()),
        ("36500d", timedelta(days=36_500)),
    ],
)
def test_a_time_is_a_date_with_a_time_or_how_long_ago(text: str, time: datetime | timedelta) -> None:
    assert when(text) == time


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-01",
        "2026-02-30T00:00",
        "2026-01-31T25:00",
        "12:00",
        "-2h",
        "2h ago",
        "99999d",
        "\x00",
    ],
)
def test_an_invalid_time_is_refused_with_the_valid_forms(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="invalid time"):
        when(text)


def test_a_window_that_ends_where_it_begins_is_refused() -> None:
    assert review("--since=2000-01-01T00:00", "--until=2000-01-01T00:00").code == 3
    assert review("--since=36500d").code == 0


def test_one_of_several_deeds_can_be_chosen() -> None:
    assert review("--restore", "--clear").code != 0
