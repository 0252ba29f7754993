"""The migrations say what the models say."""

import json
from datetime import timedelta
from importlib import import_module

import pytest
from django.core.management import call_command
from django.db import connection

from queueops.monitoring import task_report
from tests.queueops.factories import make_space, make_tasks, now

pytestmark = pytest.mark.django_db


def test_no_model_has_a_change_without_a_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_audit_rows_cannot_be_changed_even_with_plain_sql() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO embedding_audit_logs (category, message) VALUES ('engine', 'x') RETURNING level"
        )
        assert cursor.fetchone() == ("info",)
        with pytest.raises(Exception, match="append-only"):
            cursor.execute("UPDATE embedding_audit_logs SET message = 'y'")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO embedding_worker_status (id, is_running) VALUES (1, false)"
        " ON CONFLICT (id) DO UPDATE SET is_running = false",
        "INSERT INTO performance_metrics (name, value) VALUES ('n', 1)",
        "INSERT INTO articles (slug, title) VALUES ('s', 'T')",
        "INSERT INTO queue_state DEFAULT VALUES ON CONFLICT (id) DO NOTHING",
        "DELETE FROM embedding_tasks",
        "DELETE FROM embedding_audit_logs",
    ],
)
def test_operators_statements_need_name_no_more_than_they_say(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_the_extension_needs_no_superuser_to_be_found_and_stays_when_the_embeddings_are_taken_back() -> None:
    first = import_module("embeddings.migrations.0001_initial").Migration.operations[0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False,)
    with connection.schema_editor() as editor:
        first.database_backwards("embeddings", editor, None, None)
        first.database_forwards("embeddings", editor, None, None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_extension WHERE extname = 'vector'")
        assert cursor.fetchone() == (1,)


def test_articles_metadata_is_always_an_object() -> None:
    with connection.cursor() as cursor, pytest.raises(Exception, match="articles_metadata_is_object"):
        cursor.execute("INSERT INTO articles (slug, title, metadata) VALUES ('s', 'T', '[]')")


@pytest.mark.django_db(transaction=True)
def test_times_that_no_list_could_show_become_the_present() -> None:
    (task,) = make_tasks(1, make_space())  # while the table is as the models say
    call_command("migrate", "queueops", "0011", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE embedding_tasks SET scheduled_at = 'infinity', processed_at = '-infinity'")
    call_command("migrate", "queueops", verbosity=0)
    task.refresh_from_db()
    assert task.processed_at == task.scheduled_at
    assert abs(task.scheduled_at - now()) < timedelta(minutes=1)


@pytest.mark.django_db(transaction=True)
def test_keys_in_a_tasks_metadata_keep_their_values_under_their_new_names() -> None:
    kept = {"attempt": 1, "at": "2026-01-01T00:00:00Z", "error_class": "transient", "error_message": "x"}
    task, plain = make_tasks(2, make_space())
    call_command("migrate", "queueops", "0017", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE embedding_tasks SET metadata = %s WHERE id = %s",
            [json.dumps({"reason": "reindex", "tries": [kept], "anew": True}), task.pk],
        )
    call_command("migrate", "queueops", verbosity=0)
    task.refresh_from_db()
    before = plain.metadata
    plain.refresh_from_db()
    assert task.metadata == {"reason": "reindex", "failed_attempts": [kept], "reembed": True}
    assert plain.metadata == before
    assert task_report.of(task.pk).task.failed_attempts[0].error_class == "transient"
