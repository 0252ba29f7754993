"""A change of text becomes one pending task for each space that is behind on it."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from pytest_django import DjangoAssertNumQueries, Settings

from articles.models import Article
from articles.signals import articles_written
from embeddings.models import Space
from queueops.engine import claims
from queueops.engine.enqueue import _ENQUEUE, Reason, enqueue
from queueops.models import Priority, Status, Task, Worker
from tests.queueops.factories import make_article, make_space, make_tasks, plan_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def space() -> Space:
    return make_space()


def test_a_saved_article_has_a_pending_task_in_the_same_transaction(space: Space) -> None:
    article = make_article()
    task = Task.objects.get()
    assert (task.article_id, task.space_id, task.status, task.slug) == (
        article.pk,
        space.pk,
        "pending",
        article.slug,
    )
    assert (task.reason, task.priority, task.attempts) == ("edit", "normal", 0)
    assert (task.content_hash, task.source_version) == (article.content_hash, 1)


def test_a_save_that_is_rolled_back_leaves_no_article_no_version_and_no_task() -> None:
    class Undo(Exception):
        pass

    with pytest.raises(Undo), transaction.atomic():
        make_article()
        raise Undo
    assert (Article.objects.count(), Task.objects.count()) == (0, 0)


def test_many_edits_join_the_one_task_that_waits() -> None:
    article = make_article()
    for n in range(5):
        article.content = f"Edit {n}."
        article.save()
    task = Task.objects.get()
    assert (task.source_version, task.content_hash) == (6, article.content_hash)


def test_an_edit_gives_a_waiting_task_fresh_attempts_and_makes_it_due() -> None:
    article = make_article()
    Task.objects.update(attempts=2, error_class="transient", scheduled_at="2100-01-01T00:00Z")
    article.content = "New."
    article.save()
    task = Task.objects.due().get()
    assert (task.attempts, task.error_class) == (0, "")


def test_an_edit_while_a_worker_holds_the_task_makes_a_second_one(space: Space) -> None:
    [task] = make_tasks(1, space, Status.PROCESSING)
    article = task.article
    article.content = "New."
    article.save()
    assert sorted(Task.objects.values_list("status", flat=True)) == ["pending", "processing"]


def statuses() -> list[str]:
    return sorted(Task.objects.values_list("status", flat=True))


@pytest.fixture
def held(space: Space, worker: Worker) -> Article:
    """An article whose task a worker has just claimed."""
    article = make_article(content="First.")
    claims.claim_due(space, 1, worker.pk, worker.name)
    return article


def test_a_change_of_metadata_alone_while_a_worker_holds_the_task_makes_no_second_one(
    held: Article, rings: list[bool]
) -> None:
    held.metadata = {"section": "news"}
    held.save()
    assert statuses() == ["processing"]
    assert rings == []


def test_a_held_task_whose_lease_has_ended_does_not_count(held: Article) -> None:
    Task.objects.update(lease_expires_at=Now() - timedelta(seconds=1))
    held.save()
    assert statuses() == ["pending", "processing"]


def test_a_held_task_about_an_earlier_version_of_the_same_text_does_not_count(
    held: Article, space: Space, worker: Worker
) -> None:
    """Its worker will find that its version is no longer the newest."""
    held.content = "Second."
    held.save()
    claims.claim_due(space, 1, worker.pk, worker.name)
    held.content = "First."
    held.save()
    assert statuses() == ["pending", "processing", "processing"]


@pytest.mark.parametrize("in_statistics", [0, 200])
def test_whether_an_article_is_in_work_is_one_probe_of_its_tasks(space: Space, in_statistics: int) -> None:
    make_tasks(800, space, Status.COMPLETED)
    make_tasks(in_statistics, space, Status.PROCESSING)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    articles = list(Article.objects.values_list("pk", flat=True)[:100])
    for some in (articles[:1], articles):
        arguments = {
            "articles": some,
            "priority": "low",
            "lower": "low",
            "max_attempts": 3,
            "metadata": '{"reason": "edit"}',
        }
        plan = plan_of(_ENQUEUE, arguments)
        assert "Index Scan using embedding_tasks_article on embedding_tasks t" in plan, plan
        assert "Seq Scan on embedding_tasks" not in plan, plan


def test_joining_keeps_the_better_priority() -> None:
    article = make_article()
    enqueue([article.pk], Reason.DRIFT)
    assert Task.objects.get().priority == Priority.NORMAL
    enqueue([article.pk], Reason.EDIT, Priority.HIGH)
    assert Task.objects.get().priority == Priority.HIGH


def test_each_receiving_space_gets_a_task_and_a_retired_one_does_not(space: Space) -> None:
    building = Space.objects.create(version=101, provider="openai", model="b", dimensions=4, chunk_tokens=9)
    Space.objects.create(
        version=102, provider="openai", model="c", dimensions=4, chunk_tokens=9, state="retired"
    )
    make_article()
    assert set(Task.objects.values_list("space_id", flat=True)) == {space.pk, building.pk}


@pytest.mark.parametrize(
    ("state", "priorities"),
    [
        ("building", {"normal": "low", "high": "normal", "low": "low"}),
        ("ready", {"normal": "low"}),
        ("standby", {"normal": "normal", "low": "low"}),
    ],
)
def test_a_space_that_is_built_gets_its_tasks_one_rank_lower(
    space: Space, state: str, priorities: dict[str, str]
) -> None:
    other = Space.objects.create(
        version=101, provider="openai", model="b", dimensions=4, chunk_tokens=9, state=state
    )
    for given, expected in priorities.items():
        article = make_article()  # an edit
        made = dict(Task.objects.filter(article=article).values_list("space_id", "priority"))
        assert made == {space.pk: "normal", other.pk: priorities["normal"]}
        Task.objects.all().delete()
        enqueue([article.pk], Reason.EDIT, Priority(given))
        made = dict(Task.objects.filter(article=article).values_list("space_id", "priority"))
        assert made == {space.pk: given, other.pk: expected}


def test_a_change_of_metadata_alone_makes_no_task_once_the_text_is_embedded(space: Space) -> None:
    article = make_article()
    Task.objects.all().delete()
    article.embeddings.create(
        space=space, chunk_index=0, chunk_count=1, span=(0, 5), text_hash=b"x" * 16, source_version=1,
        source_hash=article.content_hash, embedding=[1] * 8,
    )  # fmt: skip
    article.metadata = {"section": "news"}
    article.save()
    assert not Task.objects.exists()
    article.content = "Other text."
    article.save()
    assert Task.objects.count() == 1


def test_a_bulk_write_enqueues_its_articles_in_one_statement_with_low_priority(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    ids = [task.article_id for task in make_tasks(50, Space.objects.get())]
    Task.objects.all().delete()
    with transaction.atomic(), django_assert_num_queries(3):  # is there a queue, the mode, and one INSERT
        articles_written.send(None, article_ids=ids, reason="import")
    assert Task.objects.filter(priority="low", metadata={"reason": "import"}).count() == 50


def test_nothing_is_enqueued_while_embedding_is_disabled(settings: Settings) -> None:
    settings.SEMANTIC_SEARCH_ENABLED = False
    make_article()
    assert not Task.objects.exists()
