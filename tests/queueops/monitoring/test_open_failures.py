"""A failed task is open while the current text of its article has no vectors, and no newer task is to make them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from articles.models import Article
from embeddings.models import ArticleEmbedding, Space, SpaceState
from queueops.maintenance import sampler
from queueops.models import Metric, Status, Task
from queueops.monitoring import health, open_failures, snapshot, statistics, task_lists
from queueops.monitoring.open_failures import IS_OPEN, IS_OPEN_SQL
from queueops.monitoring.task_filter import TaskFilter
from queueops.worker.drain import drain
from tests.providers import FakeProvider
from tests.queueops.cli_runner import embed_migrate, queue_admin
from tests.queueops.factories import make_tasks, make_worker

pytestmark = pytest.mark.django_db


def embed(task: Task) -> None:
    article = Article.objects.get(pk=task.article_id)
    ArticleEmbedding.objects.create(
        article=article,
        space=task.space,
        chunk_index=0,
        chunk_count=1,
        span=(0, 4),
        text_hash=b"x" * 16,
        source_version=1,
        source_hash=article.content_hash,
        embedding=[0.0] * task.space.dimensions,
    )


def nothing(task: Task) -> None:
    pass


def embed_and_edit(task: Task) -> None:
    embed(task)
    Article.objects.filter(pk=task.article_id).update(content="A newer text.")


def retire(task: Task) -> None:
    Space.objects.filter(pk=task.space_id).update(state=SpaceState.RETIRED)


def add(status: str) -> Callable[[Task], None]:
    def make(task: Task) -> None:
        Task.objects.create(article=task.article, space=task.space, status=status)

    return make


CASES = [
    (nothing, True),
    (embed, False),
    (embed_and_edit, True),
    (retire, False),
    (add("pending"), False),
    (add("processing"), False),
    (add("cancelled"), True),
    (add("completed"), True),  # it was about an earlier text
]


@pytest.mark.impossible_rows("tasks without the rest of their row")
@pytest.mark.parametrize(("happens", "is_open"), CASES)
def test_a_failure_is_open_while_it_matters(
    space: Space, happens: Callable[[Task], None], is_open: bool
) -> None:
    [task] = make_tasks(1, space, Status.FAILED)
    happens(task)
    assert Task.objects.filter(IS_OPEN, pk=task.pk).exists() is is_open
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {IS_OPEN_SQL} FROM embedding_tasks t WHERE t.id = %s", [task.pk])
        assert cursor.fetchone() == (is_open,)
    assert snapshot.take().failed_open == is_open
    assert [row.is_open for row in task_lists.page(Status.FAILED).tasks if row.id == task.pk] == [is_open]


@pytest.mark.impossible_rows("tasks without the rest of their row")
def test_of_two_failures_of_one_text_the_newer_is_open(space: Space) -> None:
    [older] = make_tasks(1, space, Status.FAILED)
    newer = Task.objects.create(article=older.article, space=space, status=Status.FAILED)
    assert list(Task.objects.filter(IS_OPEN)) == [newer]
    assert snapshot.take().failed_open == 1


def test_other_tasks_are_not_open(space: Space) -> None:
    for status in (Status.PENDING, Status.COMPLETED, Status.CANCELLED):
        make_tasks(1, space, status)
    assert not Task.objects.filter(IS_OPEN).exists()
    assert {row.is_open for row in task_lists.page(Status.CANCELLED).tasks} == {None}


@pytest.mark.django_db(transaction=True)
def test_repaired_failures_are_distinguished_wherever_failures_are_shown(
    space: Space, provider: FakeProvider
) -> None:
    make_tasks(3, space, Status.FAILED, error_class="", error_message="Cancelled by administrator")
    assert "Failed: 3 open, 3 in all" in queue_admin("status").out
    embed_migrate("--yes", "--only-failed")
    drain(make_worker().pk, seconds=10)
    assert "Failed: 0 open, 3 in all" in queue_admin("status").out
    assert "0 open, 3 in all" in queue_admin("stats").out
    assert statistics.breakdown().open_by_error == {}
    assert health.judge(snapshot.take()).sentence == "All saved articles are searchable or queued."
    shown = queue_admin("failed", "--json").json
    assert [(kind["error_class"], kind["tasks"], kind["open"]) for kind in shown["kinds"]] == [
        ("unknown", 3, 0)
    ]
    assert {task["is_open"] for task in shown["tasks"]} == {False}
    assert "failed, not open" in queue_admin("failed").out
    assert queue_admin("failed", "--open").out.startswith("No failure is open")
    assert queue_admin("retry", "--open", "--dry-run").out == "No task to requeue.\n"
    assert '"open": false' in queue_admin("export").out
    report = queue_admin("debug", str(Task.objects.failed().order_by("pk")[0].pk)).out
    assert "Its article's text is embedded since: nothing to do." in report


def test_a_class_that_failed_names_is_one_that_retry_takes(space: Space) -> None:
    make_tasks(2, space, Status.FAILED, error_class="")
    make_tasks(1, space, Status.FAILED, error_class="auth", priority="low")
    named = {kind["error_class"]: kind["tasks"] for kind in queue_admin("failed", "--json").json["kinds"]}
    assert named == {"unknown": 2, "auth": 1}
    for kind, tasks in named.items():
        assert queue_admin("retry", f"--error={kind}", "--dry-run", "--json").json["total"] == tasks
        assert len(queue_admin("failed", f"--error={kind}", "--json").json["tasks"]) == tasks
    assert "unknown error class 'all'" in queue_admin("retry", "--error=all", "--dry-run").sentence


def test_a_filter_for_open_failures_is_kept_with_an_operation() -> None:
    assert TaskFilter.from_json(TaskFilter(open=True).as_json()) == TaskFilter(open=True)
    assert str(TaskFilter(open=True)) == "open"


@pytest.fixture
def many(space: Space) -> int:
    """More failed tasks than are judged at each call, all open; how many."""
    make_tasks(open_failures.COUNTED_AT_ONCE + 1, space, Status.FAILED)
    return open_failures.COUNTED_AT_ONCE + 1


def test_many_failures_are_counted_while_there_is_no_sample(many: int) -> None:
    assert snapshot.take().failed_open == many


def test_of_many_failures_the_newest_sample_counts(many: int, space: Space) -> None:
    sampler.sample()
    make_tasks(2, space, Status.FAILED, priority="high")
    assert snapshot.take().failed_open == many
    sampler.sample()
    assert snapshot.take().failed_open == many + 2


@pytest.mark.parametrize("age", [timedelta(minutes=11), timedelta(minutes=-1)])
def test_a_sample_that_is_old_or_of_the_future_does_not_count(many: int, age: timedelta) -> None:
    Metric.objects.create(name=open_failures.OPEN, value=7.0, timestamp=Now() - age)
    assert snapshot.take().failed_open == many


def test_few_failures_are_counted_whatever_was_sampled(space: Space) -> None:
    make_tasks(2, space, Status.FAILED)
    Metric.objects.create(name=open_failures.OPEN, value=7.0)
    assert snapshot.take().failed_open == 2
