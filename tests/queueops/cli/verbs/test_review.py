"""The verb that marks articles for review: its window, its question, its reason."""

import pytest

from tests.queueops.cli_runner import called
from tests.queueops.factories import make_article, make_space
from tests.queueops.operate.test_article_review import marked, review

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def space():
    return make_space()


def test_it_says_how_many_first_and_asks():
    make_article()
    said = called("review_flag", "--since=1h", "--reason=x", "--dry-run").out
    assert said.startswith(
        "This would mark for review 1 articles that a worker worked on, or whose text changed, from"
    )
    assert called("review_flag", "--since=1h", "--reason=x").code == 3
    assert marked() == set()


def test_a_window_may_be_given_as_times():
    make_article()
    assert review("--since=2000-01-01T00:00", "--until=2000-01-02T00:00").json["articles"] == 0
    assert review("--since=2000-01-01T00:00").json["articles"] == 1
    assert "ends before it begins" in review("--until=2000-01-01T00:00").sentence
    assert "2026-01-31T12:00 (UTC), or how long ago" in review("--since=yesterday").sentence


def test_a_reason_is_needed_to_change_something_but_not_to_look():
    make_article()
    assert called("review_flag", "--since=1h", "--dry-run").code == 0
    refused = called("review_flag", "--since=1h", "--yes")
    assert (refused.code, "give a reason" in refused.sentence) == (3, True)
