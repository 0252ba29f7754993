"""What embed_check finds: right settings and servers pass, each thing that is wrong is named with what to do."""

import re

import pytest
from django.db import connection

from config import env
from queueops.operate.checks import broker, configuration, database, schema
from queueops.operate.checks import provider as provider_check
from queueops.operate.checks.finding import CheckResult, Finding, worst
from tests.databases import spoil_index
from tests.queueops.cli_runner import called
from tests.queueops.factories import make_article, make_space
from tests.queueops.refusing_database import refuse


def troubles(findings) -> dict[str, Finding]:
    """What is not ok, by the check's name; each says what to do in a sentence."""
    found = {finding.check: finding for finding in findings if finding.verdict is not CheckResult.OK}
    assert all(finding.fix and finding.says for finding in found.values())
    return found


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [([], "ok"), (["ok", "warn"], "warn"), (["warn", "fail", "ok"], "fail"), (["ok"], "ok")],
)
def test_the_gravest_verdict_counts(verdicts, answer):
    assert worst(Finding("c", CheckResult(verdict), "s") for verdict in verdicts) == answer


# settings


def test_every_setting_is_shown_with_its_origin_and_without_its_secret(settings):
    shown = {f.check.removeprefix("setting "): f.says for f in configuration.check()}
    assert set(settings.ENVIRONMENT) <= set(shown)
    assert shown["EMBEDDING_MAX_RETRIES"] == "3 (default)"
    assert shown["AUTH_TOKEN"] == "**** (environment)"
    assert settings.AUTH_TOKEN not in str(shown)
    assert settings.SECRET_KEY not in str(shown)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:pw1@db/x", "postgresql://ada:****@db/x"),
        ("postgresql://ada@/x?host=/run&password=pw1", "postgresql://ada@/x?host=/run&password=****"),
        ("postgresql://ada:pa#pw1@db:5/x", "postgresql://ada:****@db:5/x"),
        ("postgresql://ada:p%3Fpw1@db/x?sslpassword=pw1", "postgresql://ada:****@db/x?sslpassword=****"),
    ],
)
def test_a_password_in_an_address_is_never_shown(url, shown, monkeypatch):
    monkeypatch.setenv("SOME_DATABASE_URL", url)
    env.database("SOME_DATABASE_URL", "")
    assert env.readings()["SOME_DATABASE_URL"] == (shown, True)
    monkeypatch.setenv("SOME_REDIS_URL", "rediss://:pw1@broker:6379/1")
    env.redis_url("SOME_REDIS_URL", "")
    assert env.readings()["SOME_REDIS_URL"].value == "rediss://:****@broker:6379?db=1"


CONTRADICTIONS = [
    ({"EMBEDDING_QUEUE_ENABLED": False, "EMBEDDING_WORKER_TIMEOUT": 5_000}, "lease"),
    ({"EMBEDDING_WORKER_INTERVAL": 120_000}, "sweep"),
    ({"EMBEDDING_CLEANUP_INTERVAL": 48, "EMBEDDING_CLEANUP_RETENTION_DAYS": 1}, "cleanup"),
    ({"EMBEDDING_BATCH_SIZE": 1_000}, "batch"),
    ({"EMBEDDING_TOKENS_PER_MINUTE": 100}, "token limit"),
    ({"DEBUG": True, "HOST": "0.0.0.0"}, "debug"),
    ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://far.example/v1"}, "key in the clear"),
    ({"FAILPOINT": "claimed"}, "setting VECTORPRESS_FAILPOINT"),
]


@pytest.mark.parametrize(
    ("changes", "check"), CONTRADICTIONS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_settings_that_contradict_one_another_are_told(changes, check, settings):
    for name, value in changes.items():
        setattr(settings, name, value)
    assert set(troubles(configuration.check())) == {check}


def test_the_settings_of_these_tests_fit_together():
    assert not troubles(configuration.check())


def test_a_variable_that_nobody_reads_is_taken_for_a_slip(monkeypatch):
    monkeypatch.setenv("EMBEDDING_BATCHSIZE", "5")
    found = troubles(configuration.check())
    assert (
        found["setting EMBEDDING_BATCHSIZE"].fix
        == "Check its name: rename it to EMBEDDING_BATCH_SIZE, if that was meant."
    )


# the database


@pytest.mark.django_db
def test_a_migrated_database_passes(settings):
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
def test_what_is_missing_or_unusable_is_named(harm, check, settings):
    settings.WEB_THREADS = settings.EMBEDDING_WORKER_THREADS = 2
    execute("SET CONSTRAINTS ALL IMMEDIATE")  # ALTER TABLE waits for no check
    execute("UPDATE embedding_spaces SET id = 4711")
    execute("ALTER TABLE embedding_spaces ALTER id RESTART WITH 4711")
    execute("SELECT nextval(pg_get_serial_sequence('embedding_spaces', 'id'))")
    execute(harm)
    assert check in troubles(database.check())


@pytest.mark.django_db
def test_an_index_whose_making_was_cut_off_is_named():
    spoil_index("embedding_tasks_held")
    assert "index embedding_tasks_held" in troubles(schema.check())


@pytest.mark.django_db
@pytest.mark.impossible_rows("tables are harmed")
def test_a_sequence_near_its_end_is_named_while_rows_can_still_be_added():
    execute(f"ALTER TABLE embedding_tasks ALTER id RESTART WITH {2**63 - 1_000}")
    execute("SELECT nextval(pg_get_serial_sequence('embedding_tasks', 'id'))")
    says = {finding.check: finding.says for finding in schema.check()}
    assert "nearly used up" in says["sequence embedding_tasks.id"]


@pytest.mark.django_db
@pytest.mark.impossible_rows("tables are harmed")
def test_a_foreign_key_that_no_longer_cascades_is_named():
    execute(
        "DO $$ DECLARE name text; BEGIN SELECT conname INTO name FROM pg_constraint WHERE contype = 'f' AND "
        "conrelid = 'embedding_tasks'::regclass AND confrelid = 'articles'::regclass; EXECUTE "
        "'ALTER TABLE embedding_tasks DROP CONSTRAINT ' || quote_ident(name) || "
        "', ADD FOREIGN KEY (article_id) REFERENCES articles'; END $$"
    )
    assert set(troubles(schema.check())) == {"foreign key embedding_tasks.article_id"}


@pytest.mark.django_db
def test_the_triggers_it_looks_for_are_all_there_are():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN "
            "(SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace)"
        )
        assert set(cursor.fetchall()) == {(t, name) for t, names in schema.TRIGGERS.items() for name in names}


def test_a_superuser_is_worth_a_warning_with_the_way_to_another_role():
    finding = database._role("postgres", is_super=True)
    assert finding.verdict is CheckResult.WARN
    assert "CREATE ROLE vectorpress LOGIN NOSUPERUSER" in finding.fix


@pytest.mark.django_db
def test_too_many_threads_for_the_servers_connections_are_told(settings):
    settings.WEB_PROCESSES = 64
    assert set(troubles(database.check())) == {"connections"}


@pytest.mark.django_db(transaction=True)
def test_a_database_that_does_not_answer_is_one_failure_in_a_sentence(monkeypatch):
    connection.close()
    with monkeypatch.context() as elsewhere:
        elsewhere.setitem(connection.settings_dict, "HOST", "/nowhere")
        (finding,) = database.check()
        connection.close()
    assert (finding.verdict, finding.fix) == (CheckResult.FAIL, "Start it, or correct DATABASE_URL.")


# broker and provider


def test_a_broker_without_an_append_only_file_is_worth_a_warning():
    found = troubles(broker.check())
    assert set(found) == {"broker persistence"}
    assert "--appendonly yes" in found["broker persistence"].fix


def test_a_broker_that_does_not_answer_fails(settings):
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    assert {name: f.says for name, f in troubles(broker.check()).items()} == {"broker": "does not answer"}


@pytest.mark.django_db
def test_a_provider_that_gives_a_vector_passes_and_its_width_is_told(provider):
    make_space()
    (finding,) = provider_check.check()
    assert finding.verdict is CheckResult.OK
    assert re.match(r"gave a finite vector of 8 numbers, length 1\.000, in \d+ ms", finding.says)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ({"fail_next": ["401"]}, "auth"),
        ({"fail_next": ["429"]}, "rate limited"),
        ({"fail_next": ["wrong_width"]}, "not 8 wide"),
        ({"fail_next": ["nan"]}, "finite"),
        ({"fail_next": ["zero"]}, "zeros"),
        ({"poison": "short text"}, "invalid input"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_provider_that_gives_no_usable_vector_fails_and_says_why(provider, faults, says):
    provider.config(**faults)
    make_space()
    (finding,) = troubles(provider_check.check()).values()
    assert finding.verdict is CheckResult.FAIL
    assert says in finding.says


@pytest.mark.django_db
def test_a_provider_slower_than_a_search_waits_is_worth_a_warning(provider, monkeypatch):
    monkeypatch.setattr(provider_check, "DEADLINE_SECONDS", 0.0)
    make_space()
    assert [finding.verdict for finding in provider_check.check()] == [CheckResult.OK, CheckResult.WARN]


# the command


@pytest.mark.django_db
def test_the_command_is_a_gate(provider, settings):
    settings.WEB_THREADS = settings.EMBEDDING_WORKER_THREADS = 2
    settings.EMBEDDING_PROVIDER, settings.EMBEDDING_MODEL, settings.EMBEDDING_DIMENSIONS = (
        "openai",
        "fake-embed",
        8,
    )
    make_space()
    gate = called("embed_check", "all")
    assert gate.code == 0, gate.out
    assert "warn  broker persistence: " in gate.out
    assert called("embed_check", "all", "--strict").code == 1
    told = called("embed_check", "all", "--json").json
    assert told["verdict"] == "warn"
    assert {"check", "verdict", "says", "fix"} == set(told["findings"][0])
    provider.config(rate_500=1)
    assert called("embed_check", "provider").code == 2
    assert called("embed_check", "all", "--strict").code == 2


def test_a_hint_for_psql_quotes_the_name_of_an_index():
    assert schema._invalid('x"; DROP TABLE articles; --').fix == (
        'Run: REINDEX INDEX CONCURRENTLY "x""; DROP TABLE articles; --";'
    )


@pytest.mark.django_db
def test_a_database_that_takes_no_vectors_is_named_with_its_reason():
    make_space(provider="openai")
    make_article()
    assert "vectors" not in troubles(database._vectors())
    refuse("53100")
    assert "53100 disk full: No space left on device" in troubles(database._vectors())["vectors"].says
