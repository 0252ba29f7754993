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
def test_too_many_threads_for_the_servers_connections_are_told(settings: Settings) -> None:
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
        f"53100 disk full: No space left on device{where})" in troubles(database._vectors())["vectors"].says
    )


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        (None, "fail"),
        ("0.7.4", "fail"),
        ("0.8.0", "warn"),
        ("0.8.3", "warn"),
        ("0.8.4", "ok"),
        ("0.10.0", "ok"),  # numbers, not letters
        ("1.0", "ok"),
        ("0.8", "fail"),  # less than 0.8.0, for all one can tell
    ],
)
def test_a_version_of_pgvector_is_good_has_faults_or_will_not_do(version: str | None, verdict: str) -> None:
    finding = database._pgvector(version)
    assert finding.verdict == verdict
    assert bool(finding.fix) is (verdict != "ok")


@pytest.mark.parametrize(("more", "verdict"), [(-1, "fail"), (0, "ok"), (5, "ok")])
def test_a_server_older_than_the_oldest_that_will_do_fails(more: int, verdict: str) -> None:
    least = connection.features.minimum_database_version
    assert least is not None
    [finding] = database._version("x", 10_000 * (least[0] + more) + 3)
    assert finding.verdict == verdict


@pytest.mark.parametrize(
    ("is_replica", "is_read_only", "word"),
    [(False, False, None), (True, True, "replica"), (True, False, "replica"), (False, True, "read-only")],
)
def test_a_server_that_takes_no_writes_fails_with_the_reason(
    is_replica: bool, is_read_only: bool, word: str | None
) -> None:
    found = list(database._writable(is_replica, is_read_only))
    assert [(word or "") in finding.says for finding in found] == ([True] if word else [])
    assert all(finding.verdict is CheckResult.FAIL for finding in found)


@pytest.mark.parametrize(
    ("most", "open_now", "verdict"),
    [(100, 5, "ok"), (8, 0, "ok"), (7, 0, "warn"), (100, 100, "fail"), (0, 0, "fail")],
)
def test_connections_are_enough_too_few_or_all_taken(
    settings: Settings, most: int, open_now: int, verdict: str
) -> None:
    settings.WEB_THREADS, settings.EMBEDDING_WORKER_THREADS = 1, 1
    settings.WEB_PROCESSES, settings.EMBEDDING_CONCURRENT_WORKERS = 1, 1
    assert database._connections(most, open_now).verdict == verdict


@pytest.mark.parametrize(
    ("count", "told"), [(1, "a.0"), (5, "a.4"), (6, "a.4 and 1 more"), (50, "a.4 and 45 more")]
)
def test_a_long_list_of_migrations_is_cut_and_counted(count: int, told: str) -> None:
    assert database._listed([("a", str(n)) for n in range(count)]).endswith(told)
