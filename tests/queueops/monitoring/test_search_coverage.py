"""How many articles searches find: counted while that is cheap, else as last sampled."""

import pytest
from django.db import connection

from queueops.maintenance import sampler
from queueops.monitoring import search_coverage, snapshot
from tests.queueops.factories import make_space, make_tasks


@pytest.mark.django_db
def test_of_a_large_corpus_the_newest_sample_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_coverage, "COUNTED_AT_ONCE", 2)
    space = make_space()
    make_tasks(3, space)
    sampler.sample()
    make_tasks(1, space, priority="high")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE articles")
    told = snapshot.take()
    assert told.articles == 3
    assert told.coverage_age > 0.0


@pytest.mark.django_db
def test_of_a_large_corpus_that_was_never_sampled_the_articles_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search_coverage, "COUNTED_AT_ONCE", 2)
    make_tasks(3, make_space())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE articles")
    assert (snapshot.take().articles, snapshot.take().coverage_age) == (3, 0.0)
