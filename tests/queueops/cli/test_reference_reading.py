"""The reference's SELECTs, word for word, answer what their documents say they answer."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models.functions import Now

from embeddings.models import Space
from queueops.models import AuditLog, Level, Status, Task
from tests import reference
from tests.queueops.factories import make_article, make_space, make_tasks, make_worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def space() -> Space:
    return make_space()


def test_every_statement_is_run_by_some_test() -> None:
    here = reference.HERE.parent / "queueops"
    tests = "".join(path.read_text() for path in here.rglob("test_reference_*.py"))
    assert [name for name in reference.NAMES if f'"{name}"' not in tests] == []
    assert len(reference.NAMES) == 27


def test_tasks_are_counted_by_status(space: Space) -> None:
    make_tasks(2, space)
    make_tasks(1, space, Status.FAILED)
    assert sorted(reference.run("deployment/tasks_by_status")) == [("failed", 1), ("pending", 2)]


def test_activity_is_shown_hour_by_hour(space: Space) -> None:
    make_tasks(1, space)
    make_tasks(2, space, Status.COMPLETED)
    [old] = make_tasks(1, space, Status.FAILED)
    Task.objects.filter(pk=old.pk).update(created_at=Now() - timedelta(hours=3))
    rows = reference.run("deployment/activity_by_hour")
    assert [row[1:] for row in rows] == [(1, 0, 1), (3, 2, 0)]
    assert rows[0][0] < rows[1][0]


def test_the_average_time_of_a_task_is_in_seconds(space: Space) -> None:
    make_tasks(1, space, Status.COMPLETED, processed_at=Now() - timedelta(seconds=2))
    make_tasks(1, space, Status.COMPLETED, processed_at=Now() - timedelta(seconds=4), priority="low")
    [(average,)] = reference.run("deployment/average_seconds")
    assert float(average) == pytest.approx(3.0, abs=0.5)


def test_the_audit_of_the_last_hour_is_shown_newest_first() -> None:
    for message in ("first", "second"):
        AuditLog.objects.create(category="engine", message=message, metadata={"n": 1})
    AuditLog.objects.create(category="engine", message="old", timestamp=Now() - timedelta(hours=2))
    rows = reference.run("deployment/audit_of_the_last_hour")
    assert {row[1:4] for row in rows} == {("info", "engine", "first"), ("info", "engine", "second")}
    assert rows[0][0] >= rows[1][0]


def test_errors_are_shown_hour_by_hour_with_their_kinds() -> None:
    for message in ("refused", "refused", "too long"):
        AuditLog.objects.create(category="engine", level=Level.ERROR, message=message)
    AuditLog.objects.create(category="engine", message="no error")
    [(_, count, kinds)] = reference.run("deployment/errors_by_hour")
    assert (count, kinds) == (3, ["refused", "too long"])


def test_tasks_in_work_are_shown_with_how_long_the_longest_first(space: Space) -> None:
    make_tasks(1, space, Status.PROCESSING, processed_at=Now() - timedelta(seconds=5))
    [longer] = make_tasks(
        1, space, Status.PROCESSING, processed_at=Now() - timedelta(minutes=9), priority="low"
    )
    rows = reference.run("deployment/tasks_in_work")
    assert [row[0] for row in rows][0] == longer.pk
    assert rows[0][1] == longer.slug
    assert rows[0][3] > timedelta(minutes=8)  # since the transaction began


def test_failures_are_counted_by_message_the_most_frequent_first(space: Space) -> None:
    make_tasks(2, space, Status.FAILED, error_message="no key")
    make_tasks(1, space, Status.FAILED, error_message="too long", priority="low")
    assert reference.run("deployment/errors_by_message") == [("no key", 2), ("too long", 1)]


def test_the_rest_of_a_migration_is_counted(space: Space) -> None:
    make_tasks(2, space, metadata={"reason": "migration"})
    make_tasks(1, space, Status.CANCELLED, metadata={"reason": "migration"})
    make_tasks(1, space, metadata={"reason": "edit"}, priority="high")
    assert reference.run("rollback/count_migration_tasks") == [(2,)]


def test_tasks_in_progress_are_counted(space: Space) -> None:
    make_tasks(2, space, Status.PROCESSING)
    make_tasks(1, space)
    assert reference.run("rollback/count_tasks_in_work") == [(2,)]


def test_articles_in_work_are_shown_by_id_and_slug(space: Space) -> None:
    [task] = make_tasks(1, space, Status.PROCESSING, processed_at=Now())
    make_tasks(1, space)
    assert reference.run("rollback/articles_in_work") == [(task.article_id, task.slug)]


def test_an_articles_newest_text_is_in_its_versions(space: Space) -> None:
    article = make_article("A title", "Old.")
    make_article("Another", "Text.")
    article.content = "New."
    article.save()
    assert reference.run("rollback/newest_version_of_one", argument=article.pk) == [("A title", "New.")]
    rows = reference.run("rollback/newest_version_of_each")
    assert (article.pk, article.slug, "A title", "New.") in rows
    assert len(rows) == 2


def test_once_the_queue_is_removed_only_the_list_of_spaces_has_such_a_name(space: Space) -> None:
    """The spaces belong to the search, which goes on."""
    make_worker()
    assert {"embedding_tasks", "embedding_audit_logs"} < {
        name for (name,) in reference.run("rollback/tables_left")
    }
    tables = ", ".join(model._meta.db_table for model in apps.get_app_config("queueops").get_models())
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; DROP TABLE {tables} CASCADE")
        left = reference.run("rollback/tables_left")
        transaction.set_rollback(True)
    assert left == [("embedding_spaces",)]
