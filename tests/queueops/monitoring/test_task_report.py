"""One task's story as every face is told it; how the shell shows it is in cli/verbs/test_explain.py."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django import DjangoAssertNumQueries

from embeddings.models import KeptVector, Space
from queueops.cli.frame.console import Encoder
from queueops.models import AuditLog, Status, Task, Worker
from queueops.monitoring import health, snapshot, task_report
from tests.queueops.factories import make_article, make_space, make_tasks, make_worker
from tests.queueops.monitoring.test_snapshot import make_current

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def space() -> Space:
    make_worker()
    return make_space()


@pytest.mark.parametrize("task_id", [4711, 0, -1, 2**63 - 1])
def test_a_task_that_is_not_there_has_no_story(task_id: int) -> None:
    with pytest.raises(Task.DoesNotExist):
        task_report.of(task_id)


def test_a_report_says_whether_it_is_about_the_present_text(space: Space) -> None:
    article = make_article("A", "One.")
    task = Task.objects.get()
    assert task_report.of(task.pk).task.is_newest_text
    Task.objects.update(status="completed", outcome="embedded", completed_at=Now())
    article.content = "Another."
    article.save()
    report = task_report.of(task.pk)
    assert (report.task.is_newest_text, report.article.version_number) == (False, 2)
    assert report.others == [Task.objects.pending().get().pk]


def test_vectors_of_an_earlier_text_are_not_current_and_none_are_of_no_version(space: Space) -> None:
    article = make_article("A", "One.")
    task = Task.objects.get()
    before = task_report.of(task.pk).vectors
    assert (before.chunks, before.source_version, before.is_current) == (0, None, False)
    make_current(article, space)
    article.content = "Another."
    article.save()
    after = task_report.of(task.pk).vectors
    assert (after.chunks, after.source_version, after.is_current) == (1, 1, False)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("pending", "waits"),
        ("processing", "lease"),
        ("completed", "embedded"),
        ("failed", "fail"),
        ("cancelled", "cancel"),
    ],
)
def test_why_it_is_not_running_fits_its_status(space: Space, status: str, word: str) -> None:
    [task] = make_tasks(1, space, status)
    assert word in task_report.of(task.pk).why


@pytest.mark.parametrize("status", ["pending", "processing"])
def test_a_long_article_shows_its_progress_in_its_first_turn(space: Space, status: str) -> None:
    task, other = make_tasks(2, space, status)
    keep(task, 4, of=10)
    keep(other, 7, of=9)
    report = task_report.of(task.pk)
    assert report.progress
    assert (report.progress.kept, report.progress.chunks) == (4, 10)
    assert report.progress.done_at
    done = f"4 of 10 chunks embedded, 0.2 per second, done by {report.progress.done_at:%Y-%m-%d %H:%M} UTC"
    assert f" Progress: {done}." in report.why


def test_a_task_that_has_ended_or_has_no_chunk_yet_shows_no_progress(space: Space) -> None:
    ended, begun = make_tasks(1, space, "failed") + make_tasks(1, space, "processing")
    keep(ended, 4, of=10)
    for task in (ended, begun):
        assert task_report.of(task.pk).progress is None
        assert "Progress" not in task_report.of(task.pk).why


def keep(task: Task, count: int, of: int) -> None:
    """This many of the chunks of a task's article have vectors since 20 seconds ago."""
    KeptVector.objects.bulk_create(
        KeptVector(
            article_id=task.article_id,
            space_id=task.space_id,
            text_hash=bytes([n]) * 16,
            embedding=bytes(36),
            chunks_to_embed=of,
            kept_at=Now() - timedelta(seconds=20),
        )
        for n in range(count)
    )


def test_a_worker_that_cannot_update_its_row_is_named_as_health_names_it(space: Space) -> None:
    Worker.objects.update(last_seen_at=Now() - timedelta(minutes=2))
    make_tasks(1, space, "completed", outcome="embedded", completed_at=Now() - timedelta(seconds=3))
    [task] = make_tasks(1, space)
    words = health.workers_in_words(snapshot.take())
    assert words == "unknown: workers cannot update their status"
    assert (
        task_report.of(task.pk).why == f"Task {task.pk} waits for a worker; whether one is alive is {words}."
    )
    assert health.workers(snapshot.take())[0] == "unknown"


def test_a_worker_that_is_gone_is_named_as_health_names_it(space: Space) -> None:
    Worker.objects.all().delete()
    [task] = make_tasks(1, space)
    assert task_report.of(task.pk).why == f"Task {task.pk} waits for a worker: no worker is alive."


def test_a_task_of_a_retired_space_says_so(space: Space) -> None:
    [task] = make_tasks(1, space)
    type(space).objects.update(state="retired")
    report = task_report.of(task.pk)
    assert report.vectors.state == "retired"
    assert "retired" in report.why


def test_the_newest_entries_are_shown_the_oldest_of_them_first(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_report, "MOST_ENTRIES", 3)
    [task], other = make_tasks(1, space), make_tasks(1, space, priority="low")[0]
    for n in range(5):
        AuditLog.objects.create(
            category="engine", message=str(n), task_id=task.pk, timestamp=Now() - timedelta(minutes=5 - n)
        )
    AuditLog.objects.create(category="engine", message="of another", task_id=other.pk)
    assert [entry.message for entry in task_report.of(task.pk).audit] == ["2", "3", "4"]


@pytest.mark.parametrize("metadata", ["[]", "null", '"x"', "{}", '{"reason": null}', "5"])
def test_the_report_prints_and_goes_into_json_whatever_plain_sql_wrote(space: Space, metadata: str) -> None:
    [task] = make_tasks(1, space)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE embedding_tasks SET metadata = %s::jsonb", [metadata])
        cursor.execute(
            "INSERT INTO embedding_audit_logs (category, message, metadata, task_id) "
            "VALUES ('engine', 'x', %s::jsonb, %s)",
            [metadata, task.pk],
        )
    report = task_report.of(task.pk)
    assert (report.task.failed_attempts, len(report.audit)) == ([], 1)
    assert json.loads(json.dumps(report.as_dict(), cls=Encoder))["task"]["id"] == task.pk


def test_a_story_costs_a_handful_of_statements(
    space: Space, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    [task] = make_tasks(1, space, Status.FAILED)
    with django_assert_max_num_queries(8):
        task_report.of(task.pk)
