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
from queueops.models import Operation, QueueState, Task, Worker
from queueops.worker import drain
from tests.concurrently import together
from tests.queueops.factories import make_article, make_space, make_tasks, plan_of

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


def test_articles_written_by_bulk_create_are_found(embedded: Article) -> None:
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


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at one of the newest articles, and three others."""
    monkeypatch.setattr(drift, "NEWEST", 1)
    monkeypatch.setattr(drift, "NEXT", 3)


@pytest.fixture
def eight(space: Space) -> list[int]:
    """The ids of eight articles, all behind and without a task."""
    make_tasks(8, space)
    Task.objects.all().delete()
    return list(Article.objects.order_by("pk").values_list("pk", flat=True))


def enqueued() -> list[int]:
    return sorted(Task.objects.values_list("article_id", flat=True))


def test_each_look_checks_the_newest_articles_and_the_next_ones(few: None, eight: list[int]) -> None:
    assert drift.enqueue_drift() == 4
    assert enqueued() == [*eight[:3], eight[-1]]
    assert drift.enqueue_drift() == 3
    assert enqueued() == [*eight[:6], eight[-1]]
    assert drift.enqueue_drift() == 1
    assert enqueued() == eight


def test_after_the_last_article_the_first_is_next(few: None, eight: list[int]) -> None:
    while drift.enqueue_drift():
        pass
    Task.objects.filter(article=eight[0]).delete()
    assert [drift.enqueue_drift() for _ in range(3)].count(1) == 1
    assert enqueued() == eight


def test_a_look_that_finds_more_than_it_enqueues_at_once_stays_where_it_is(
    eight: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "_BATCH", 3)
    assert [drift.enqueue_drift() for _ in range(4)] == [3, 3, 2, 0]


def test_the_place_is_kept_for_the_next_process(few: None, eight: list[int]) -> None:
    drift.enqueue_drift()
    assert QueueState.objects.get().drift_after == eight[2]


def test_a_place_beyond_all_articles_is_the_end_of_a_round(few: None, eight: list[int]) -> None:
    QueueState.objects.update(drift_after=eight[-1] + 1_000)
    assert [drift.enqueue_drift() for _ in range(2)] == [1, 3]


def test_all_drift_is_found_at_once_wherever_the_sweep_is(few: None, eight: list[int]) -> None:
    drift.enqueue_drift()
    Task.objects.all().delete()
    assert drift.enqueue_all_drift() == 8


def test_a_look_reads_a_part_of_a_large_table(space: Space) -> None:
    """The plans of both statements, where the part is small beside the table."""
    make_tasks(3_000, space, status="completed")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    first = Article.objects.earliest("pk").pk
    part = {
        "space": space.pk,
        "is_built": False,
        "limit": 100,
        "after": first,
        "upto": first + 50,
        **drift.left_by(None),
    }
    for plan in (
        plan_of(drift._DRIFTED, part),
        plan_of(drift._BOUNDS, {"after": 0, "next": 50, "newest": 20}),
    ):
        assert "Seq Scan on articles" not in plan, plan
        assert "Seq Scan on embedding_tasks" not in plan, plan
        assert "articles_pkey" in plan, plan
