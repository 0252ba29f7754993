"""A source is written in batches, each a transaction of its own."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import override_settings

from articles.importing.batches import run
from articles.importing.entries import Entry, RefusedEntry, Row, Source
from articles.models import Article, ArticleVersion

pytestmark = pytest.mark.django_db


def source(*entries: Entry) -> Source:
    return Source("test", iter(entries), None)


def row(n: int, **fields: object) -> Row:
    return Row(f"line {n}", {"title": f"Title {n}", **fields}, position=n * 10)


def test_a_source_without_entries_makes_no_batch() -> None:
    assert list(run(source(), 10)) == []


@pytest.mark.parametrize(("batch_size", "batches"), [(1, 5), (2, 3), (5, 1), (500, 1)])
def test_a_batch_has_at_most_so_many_entries(batch_size: int, batches: int) -> None:
    steps = list(run(source(*map(row, range(1, 6))), batch_size))
    assert len(steps) == batches
    assert sum(step.result.created for step in steps) == 5
    assert steps[-1].position == 50


def test_refusals_of_the_source_and_of_the_check_count_as_entries() -> None:
    refused = RefusedEntry("line 2", "broken", 20)
    first, second = run(source(row(1), refused, row(3, slug="Not a slug"), row(4)), 2)
    assert (first.result.created, first.result.refusals, first.position) == (1, (refused,), 20)
    assert (second.result.created, second.position) == (1, 40)
    assert [each.place for each in second.result.refusals] == ["line 3"]


def test_long_articles_close_a_batch_early() -> None:
    entries = [row(n, content="x " * 450_000) for n in range(7)]
    assert [step.result.created for step in run(source(*entries), 500)] == [5, 2]


def test_a_slug_that_came_in_an_earlier_batch_is_refused() -> None:
    steps = list(run(source(row(1, slug="same"), row(2, slug="same")), 1))
    assert [(step.result.created, len(step.result.refusals)) for step in steps] == [(1, 0), (0, 1)]


def test_what_is_written_stays_when_the_source_breaks_off() -> None:
    def entries() -> Iterator[Entry]:
        yield row(1)
        raise OSError("gone")

    steps = run(Source("test", entries(), None), 1)
    assert next(steps).result.created == 1
    with pytest.raises(OSError, match="gone"):
        next(steps)
    assert Article.objects.count() == 1


def test_the_author_is_that_of_the_versions() -> None:
    list(run(source(row(1)), 1, "someone"))
    assert ArticleVersion.objects.get().author == "someone"


@override_settings(DEBUG=True)
def test_debugging_keeps_no_statement_of_an_import() -> None:
    for _ in run(source(row(1)), 1):
        assert len(connection.queries) == 0
