"""Articles written by plain SQL are found by their text, whatever their dates."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from articles.models import Article
from embeddings.models import Space
from queueops.engine.enqueue import Reason, enqueue
from queueops.maintenance import drift, sweep
from queueops.models import Operation, Task, Worker
from queueops.worker import drain
from tests.concurrently import together
from tests.queueops.factories import make_article, make_space, make_tasks

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def sql(statement: str, *arguments: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)


@pytest.fixture
def embedded(space: Space, worker: Worker) -> Article:
    """An article with vectors of its text."""
    article = make_article()
    drain.drain(worker.pk, seconds=20)
    return article


@pytest.mark.parametrize(
    "date", ["now() + interval '1 day'", "now() + interval '10 years'", "'2009-03-01'", "now()"]
)
def test_an_article_is_found_whatever_dates_its_loader_gives_it(space: Space, date: str) -> None:
    sql(
        "INSERT INTO articles (slug, title, content, created_at, updated_at) "
        f"VALUES ('kept', 'Kept', 'Of another source.', {date}, {date})"
    )
    assert sweep.sweep().drifted == 1
    assert Task.objects.get().reason == "drift"


@pytest.mark.parametrize("date", ["now() + interval '1 day'", "'2009-03-01'"])
def test_an_edit_is_found_whatever_date_it_is_given(embedded: Article, date: str) -> None:
    sql(f"UPDATE articles SET content = 'Written by hand.', updated_at = {date}")
    assert sweep.sweep().drifted == 1


def test_what_django_writes_set_by_set_is_found(embedded: Article) -> None:
    Article.objects.update(content="By an update.", updated_at=Now() + HOUR)
    Article.objects.bulk_create(
        [Article(slug="bulk", title="Bulk", content="By bulk.", updated_at=Now() + HOUR)]
    )
    assert sweep.sweep().drifted == 2


@pytest.mark.parametrize("created", ["now() + interval '1 year'", "'2009-03-01'"])
def test_what_is_written_after_a_stage_is_found_whatever_its_date(space: Space, created: str) -> None:
    make_tasks(3, space)
    Task.objects.all().delete()
    newest = Article.objects.latest("pk").pk
    stage = Operation.objects.create(
        verb="migrate", actor="ada", reason="r", is_stage=True, newest_article=newest
    )
    sql(
        f"INSERT INTO articles (slug, title, content, created_at) VALUES ('late', 'Late', 'Text.', {created})"
    )
    assert not stage.was_there(Article.objects.get(slug="late"))
    assert stage.was_there(Article.objects.get(pk=newest))
    assert drift.enqueue_drift() == 1
    assert Task.objects.get().article.slug == "late"


def test_a_stage_that_began_ahead_of_now_does_not_stay_the_newest(space: Space) -> None:
    Operation.objects.create(verb="migrate", actor="ada", reason="r", is_stage=True, started_at=Now() + HOUR)
    sweep.sweep()
    Operation.objects.create(verb="migrate", actor="ada", reason="r", status="done")
    assert Operation.objects.newest_stage() is None


@pytest.mark.django_db(transaction=True)
def test_a_save_under_way_is_never_taken_for_drift() -> None:
    """Article and task are committed together, so that no time has to pass before one is missed without the other."""
    make_space()
    saving = iter(range(10_000))

    def save_and_sweep() -> int:
        for _ in range(15):
            make_article(f"Saved {next(saving)}")
            drift.enqueue_drift()
        return 0

    together(4, save_and_sweep)
    assert not Task.objects.filter(metadata__reason="drift").exists()
    assert Task.objects.count() == Article.objects.count() == 60


def test_a_space_that_is_built_is_filled_by_an_operator_and_only_repaired_by_the_sweep(
    embedded: Article, space: Space, worker: Worker
) -> None:
    building = Space.objects.create(
        version=7, provider="openai", model="fake-embed", dimensions=8, chunk_tokens=99
    )
    assert drift.enqueue_drift() == 0, "a row costs nothing"
    enqueue([embedded.pk], Reason.MIGRATION)
    drain.drain(worker.pk, seconds=20)
    sql("UPDATE articles SET content = 'By hand.' WHERE id = %s", embedded.pk)
    assert drift.enqueue_drift() == 2
    assert set(Task.objects.pending().values_list("space_id", flat=True)) == {space.pk, building.pk}


def test_a_space_on_standby_is_kept_up_to_date(embedded: Article) -> None:
    Space.objects.create(
        version=7, provider="openai", model="fake-embed", dimensions=8, chunk_tokens=99, state="standby"
    )
    assert drift.enqueue_drift() == 1
