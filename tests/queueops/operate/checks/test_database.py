"""A migrated database passes; each thing that is wrong with it is named with what to do."""

import pytest
from django.db import connection
from pytest_django import Settings

from queueops.operate.checks import database
from queueops.operate.checks.finding import CheckResult
from tests.queueops.factories import make_article, make_space
from tests.queueops.operate.checks.troubles import execute, troubles
from tests.queueops.refusing_database import refuse


@pytest.mark.django_db
def test_a_migrated_database_passes(settings: Settings) -> None:
    settings.WEB_THREADS = settings.EMBEDDING_WORKER_THREADS = 2
    findings = list(database.check())
    assert not troubles(findings)
    assert {"database", "role", "pgvector", "connections", "migrations", "schema", "sequences", "space"} <= {
        finding.check for finding in findings
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("harm", "check"),
    [
        ("ALTER TABLE articles DROP COLUMN keywords", "column articles.keywords"),
        ("ALTER TABLE embedding_tasks DROP COLUMN error_class CASCADE", "column embedding_tasks.error_class"),
        ("DROP INDEX embedding_tasks_due", "index embedding_tasks.embedding_tasks_due"),
        ("DROP INDEX embedding_tasks_one_pending", "constraint embedding_tasks.embedding_tasks_one_pending"),
        (
            "ALTER TABLE embedding_tasks DROP CONSTRAINT embedding_tasks_known_status",
            "constraint embedding_tasks.embedding_tasks_known_status",
        ),
        (
            "DROP TRIGGER embedding_tasks_tidy ON embedding_tasks",
            "trigger embedding_tasks.embedding_tasks_tidy",
        ),
        (
            "DROP TRIGGER embedding_tasks_tell ON embedding_tasks",
            "trigger embedding_tasks.embedding_tasks_tell",
        ),
        (
            "ALTER TABLE embedding_audit_logs DISABLE TRIGGER embedding_audit_logs_append_only",
            "trigger embedding_audit_logs.embedding_audit_logs_append_only",
        ),
        (
            "ALTER TABLE embedding_spaces ALTER id RESTART WITH 1",  # setval() would outlive the rollback
            "sequence embedding_spaces.id",
        ),
        ("DROP TABLE performance_metrics", "table performance_metrics"),
        ("DELETE FROM django_migrations WHERE app = 'queueops' AND name = '0002_guards'", "migrations"),
        (
            "INSERT INTO django_migrations (app, name, applied) VALUES ('queueops', '9999_later', now())",
            "migrations",
        ),
        ("UPDATE embedding_spaces SET model = 'another'", "space"),
        ("UPDATE embedding_spaces SET state = 'retired'", "space"),
    ],
    ids=lambda value: value if " " not in value or value.count(" ") == 1 else "",
)
@pytest.mark.impossible_rows("tables are harmed")
def test_what_is_missing_or_unusable_is_named(harm: str, check: str, settings: Settings) -> None:
    settings.WEB_THREADS = settings.EMBEDDING_WORKER_THREADS = 2
    execute("SET CONSTRAINTS ALL IMMEDIATE")  # ALTER TABLE waits for no check
    execute("UPDATE embedding_spaces SET id = 4711")
    execute("ALTER TABLE embedding_spaces ALTER id RESTART WITH 4711")
    execute("SELECT nextval(pg_get_serial_sequence('embedding_spaces', 'id'))")
    execute(harm)
    assert check in troubles(database.check())


def test_a_superuser_is_worth_a_warning_with_the_way_to_another_role() -> None:
    finding = database._role("postgres", is_super=True)
    assert finding.verdict is CheckResult.WARN
    assert "CREATE ROLE vectorpress LOGIN NOSUPERUSER" in finding.fix


@pytest.mark.django_db
def test_too_many_threads_for_the_servers_connections_are_shown(settings: Settings) -> None:
    settings.WEB_PROCESSES = 64
    assert set(troubles(database.check())) == {"connections"}


@pytest.mark.django_db(transaction=True)
def test_a_database_that_does_not_answer_is_one_failure_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection.close()
    with monkeypatch.context() as elsewhere:
        elsewhere.setitem(connection.settings_dict, "HOST", "/nowhere")
        (finding,) = database.check()
        connection.close()
    assert (finding.verdict, finding.fix) == (CheckResult.FAIL, "Start it, or correct DATABASE_URL.")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("table", "where"),
    [
        ("article_embeddings", ""),
        ("kept_vectors", ", in kept_vectors"),
        ("embedding_audit_logs", ", in embedding_audit_logs"),
        ("performance_metrics", ", in performance_metrics"),
    ],
)
def test_a_database_that_takes_no_vectors_is_named_with_its_reason(table: str, where: str) -> None:
    make_space(provider="openai")
    make_article()
    assert "vectors" not in troubles(database._vectors())
    refuse("53100", table=table)
    assert (
        f"53100 disk full: No space left on device{where})" in troubles(database._vectors())["vectors"].detail
    )
