"""Which articles a migration is about: the filter in words and JSON, and whose turn it is.

How a run goes through them is in operate/backfill/test_run.py.
"""

import json
from typing import Any

import pytest

from articles.models import Article
from embeddings.models import Space
from queueops.models import Task
from queueops.monitoring.article_filter import ArticleFilter, Found
from tests.queueops.factories import make_space, make_tasks
from tests.queueops.operate.backfill.test_run import embed, make_corpus

EVERYTHING: dict[str, Any] = {
    "metadata": {"kind": ["a", 1]}, "slug": "guide-", "only_failed": True, "limit": 0, "stage": 12.5,
}  # fmt: skip


@pytest.mark.parametrize("given", [{}, {"metadata": {}}, {"limit": 0}, {"stage": 0.0}, EVERYTHING])
def test_a_filter_comes_back_from_json_as_it_was(given: dict[str, Any]) -> None:
    scope = ArticleFilter(**given)
    assert scope.as_json() == given
    assert ArticleFilter.from_json(json.loads(json.dumps(scope.as_json()))) == scope


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ""),
        ({"metadata": {}}, "metadata {}"),
        ({"slug": "guide-"}, "slug guide-…"),
        ({"only_failed": True}, "only failed"),
        ({"limit": 0}, "0 at most"),
        ({"limit": 12_345, "stage": 10}, "12,345 at most, 10% at a time"),
        ({"stage": 0.5}, "0.5% at a time"),
    ],
)
def test_a_filter_says_itself_in_words(given: dict[str, Any], words: str) -> None:
    assert str(ArticleFilter(**given)) == words


@pytest.fixture
def space(db: None) -> Space:
    return make_space()


def slugs(found: Any) -> list[str]:
    return [article.slug for article in found.order_by("pk")]


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({}, 5),
        ({"metadata": {}}, 5),
        ({"metadata": {"kind": "a"}}, 2),
        ({"metadata": {"kind": "b"}}, 0),
        ({"slug": "old-00"}, 5),
        ({"slug": "old-003"}, 1),
        ({"slug": "OLD"}, 0),
        ({"slug": "old-00%"}, 0),  # no pattern
        ({"slug": "old-00", "metadata": {"kind": "a"}}, 2),
    ],
)
def test_articles_fit_everything_that_is_given(space: Space, given: dict[str, Any], count: int) -> None:
    make_corpus(3)
    make_corpus(2, first=3, metadata={"kind": "a", "more": 1})
    assert ArticleFilter(**given).fitting().count() == count


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({}, 5),
        ({"limit": 0}, 0),
        ({"limit": 2}, 2),
        ({"limit": 9}, 5),
        ({"stage": 0.1}, 1),  # a share is never rounded down to nothing
        ({"stage": 20}, 1),
        ({"stage": 21}, 2),
        ({"stage": 100}, 5),
        ({"stage": 100, "limit": 3}, 3),
        ({"stage": 20, "limit": 3}, 1),
    ],
)
def test_so_many_have_their_turn_those_with_the_lowest_ids_first(
    space: Space, given: dict[str, Any], count: int
) -> None:
    corpus = make_corpus(5)
    scope = ArticleFilter(**given)
    assert list(scope.turn()) == corpus[:count]
    assert scope.find() == Found(count, corpus[count - 1].pk if count else 0)


def test_a_stage_is_a_share_of_all_that_fit_whether_they_have_vectors_or_not(space: Space) -> None:
    corpus = make_corpus(10)
    embed(corpus[:8], space)
    assert ArticleFilter(stage=20).find().articles == 2
    assert ArticleFilter(stage=10).find().articles == 1


def test_an_empty_corpus_has_nothing_to_find(space: Space) -> None:
    assert ArticleFilter().find() == ArticleFilter(stage=50).find() == Found(0, 0)


def test_missing_are_those_without_vectors_of_their_present_text_that_no_task_is_for(space: Space) -> None:
    lacking, embedded, behind, queued = make_corpus(4)
    embed([embedded], space)
    embed([behind], space, is_behind=True)
    Task.objects.create(article=queued, space=space, slug=queued.slug)
    assert slugs(ArticleFilter().missing()) == [lacking.slug, behind.slug]
    assert slugs(ArticleFilter().behind_in(space)) == [lacking.slug, behind.slug, queued.slug]


def test_what_was_given_up_is_left_out_counted_and_found_by_its_name(space: Space) -> None:
    [task] = make_tasks(1, space, "failed")
    lacking, *_ = make_corpus(1)
    given_up = task.article.slug
    assert slugs(ArticleFilter().missing()) == [lacking.slug]
    assert ArticleFilter().left_out() == 1
    assert slugs(ArticleFilter(only_failed=True).missing()) == [given_up]
    assert ArticleFilter(only_failed=True).left_out() == 0
    assert slugs(ArticleFilter().given_up_in(space)) == [given_up]
    Article.objects.filter(slug=given_up).update(content="Another text.")
    assert given_up in slugs(ArticleFilter().missing())
    assert ArticleFilter().left_out() == 0


def test_a_retired_space_lacks_nothing_and_gave_nothing_up(space: Space) -> None:
    make_tasks(1, space, "failed")
    make_corpus(1)
    type(space).objects.update(state="retired")
    assert not ArticleFilter().missing().exists()
    assert not ArticleFilter().given_up_in(space).exists()
    assert ArticleFilter().left_out() == 0


def test_of_several_spaces_one_that_lacks_vectors_is_enough(space: Space) -> None:
    corpus = make_corpus(1)
    embed(corpus, space)
    assert not ArticleFilter().missing().exists()
    other = type(space).objects.create(
        version=101, provider="ollama", model="m", dimensions=8, chunk_tokens=200
    )
    assert list(ArticleFilter().missing()) == corpus
    assert list(ArticleFilter().behind_in(other)) == corpus
    assert not ArticleFilter().behind_in(space).exists()
