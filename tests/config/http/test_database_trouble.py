"""Replies while a stranger locks a table, the pool is empty, a statement takes too long, or the database refuses."""

import logging
from collections.abc import Iterator

import psycopg
import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, ProgrammingError, connection
from django.test import Client, RequestFactory
from psycopg_pool import PoolTimeout
from pytest_django import Settings

from articles.models import Article, ArticleVersion
from config.http import database_trouble, unavailable
from config.http.database_trouble import Noticed
from config.lock_waits import lock_waits
from embeddings.models import Space
from queueops.engine import modes
from queueops.models import Task
from tests.access.people import QUICK, SECRET, make_ada
from tests.admin_rows import make_person
from tests.factories import Api, body, problem
from tests.queueops.factories import make_article, make_space, make_worker
from tests.queueops.refusing_database import read_only, refusing
from tests.table_locks import locked, waiting_at_most

pytestmark = pytest.mark.django_db(transaction=True)
LOCKED = "the database is locked: another session holds what this request needs; try again in 5 s"


@pytest.fixture(autouse=True)
def short_lock_waits() -> Iterator[None]:
    """As a web process has it, but shorter."""
    with waiting_at_most(100):
        yield
    lock_waits.forget()


@pytest.fixture
def space(clean_cache: None) -> Space:
    make_worker()
    return make_space()


@pytest.mark.parametrize("table", ["articles", "article_versions", "embedding_tasks", "embedding_spaces"])
def test_a_save_that_meets_a_lock_is_503_and_leaves_nothing_half_done(space: Space, table: str) -> None:
    api = Api()
    with locked(table):
        answer = api.post("/articles", {"title": "Tin", "content": "Tin melts early."})
    assert problem(answer, 503)["detail"] == LOCKED
    assert answer["Retry-After"] == "5"
    assert (Article.objects.count(), ArticleVersion.objects.count(), Task.objects.count()) == (0, 0, 0)
    assert body(api.post("/articles", {"title": "Tin", "content": "Tin melts early."}), 201)


@pytest.mark.parametrize("table", ["articles", "article_embeddings", "embedding_tasks"])
def test_an_edit_that_meets_a_lock_changes_nothing(space: Space, table: str) -> None:
    article = make_article("Tin", "Tin melts early.")
    with locked(table):
        problem(Api().patch(f"/articles/{article.slug}", {"content": "Changed."}), 503)
    assert Article.objects.get().content == "Tin melts early."
    assert ArticleVersion.objects.count() == 1


@pytest.mark.parametrize("table", ["articles", "embedding_spaces", "api_tokens"])
def test_a_search_that_meets_a_lock_is_503(space: Space, table: str) -> None:
    with locked(table):
        problem(Api().post("/search", {"query": "tin", "mode": "keyword"}), 503)


@pytest.mark.parametrize(
    "table", ["embedding_tasks", "embedding_audit_logs", "performance_metrics", "queue_state"]
)
def test_a_search_goes_on_beside_a_lock_that_it_does_not_need(space: Space, table: str) -> None:
    make_article("Tin", "Tin melts early.")
    question = {"query": "tin", "mode": "keyword"}
    body(Api().post("/search", question))
    with locked(table):
        assert body(Api().post("/search", question))["results"]


def test_the_mode_that_was_read_last_stays_in_force_while_its_row_is_locked(space: Space) -> None:
    assert modes.embeds()
    modes._row.keep(0)
    with locked("queue_state"):
        assert modes.embeds()
    modes.forget()


@pytest.mark.parametrize(
    ("table", "path"),
    [("articles", "/"), ("articles", "/articles/tin"), ("articles", "/search?q=tin&mode=keyword"),
     ("embedding_spaces", "/?q=tin")],
)  # fmt: skip
def test_a_page_that_meets_a_lock_is_a_plain_503(space: Space, table: str, path: str) -> None:
    client = Client(raise_request_exception=False)
    with locked(table):
        answer = client.get(path)
    assert (answer.status_code, answer["Retry-After"], answer["Cache-Control"]) == (503, "5", "no-store")
    assert LOCKED in answer.content.decode()
    assert "Traceback" not in answer.content.decode()


@pytest.mark.parametrize(
    ("table", "path"),
    [("embedding_tasks", "/admin/"), ("embedding_tasks", "/admin/queueops/task/"),
     ("articles", "/admin/articles/article/"), ("sign_in_sessions", "/admin/"), ("auth_user", "/admin/")],
)  # fmt: skip
def test_the_admin_that_meets_a_lock_is_a_plain_503(space: Space, table: str, path: str) -> None:
    client = Client(raise_request_exception=False)
    permissions = ("queueops.view_task", "articles.view_article")
    client.force_login(make_person("ada", *permissions))
    with locked(table):
        answer = client.get(path)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert client.get(path).status_code == 200


def test_what_middleware_raises_is_answered_in_the_same_way(space: Space, rf: RequestFactory) -> None:
    for path, kind in (("/", "text/html"), ("/api/articles", "application/problem+json")):
        try:
            with locked("articles"), connection.cursor() as cursor:
                cursor.execute("SELECT FROM articles")
        except OperationalError:
            answer = unavailable.server_error(rf.get(path))
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert answer["Content-Type"].startswith(kind)


def test_a_statement_that_takes_too_long_is_503(space: Space) -> None:
    article = make_article()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 1")
        cursor.execute("SET lock_timeout = 0")
    try:
        with locked("articles"):
            answer = Api().get(f"/articles/{article.slug}")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
    assert "did not finish a statement" in problem(answer, 503)["detail"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (psycopg.errors.LockNotAvailable(), "the database is locked"),
        (psycopg.errors.DeadlockDetected(), "the database is locked"),
        (psycopg.errors.QueryCanceled(), "did not finish a statement"),
        (PoolTimeout(), "all connections of this process"),
        (psycopg.OperationalError(), "the database does not answer"),
        (psycopg.errors.TooManyConnections(), "the database does not answer"),
        (psycopg.errors.ReadOnlySqlTransaction(), "the database is read-only"),
        (psycopg.errors.DiskFull(), "the database has no space left"),
        (psycopg.errors.OutOfMemory(), "refuses this request (SQLSTATE 53200 out of memory)"),
        (psycopg.errors.IoError(), "refuses this request (SQLSTATE 58030 I/O error)"),
        (psycopg.errors.InsufficientPrivilege(), "refuses this request (SQLSTATE 42501 no privilege)"),
        (psycopg.errors.DataCorrupted(), "refuses this request (SQLSTATE XX001 data corrupted)"),
        (psycopg.errors.UndefinedColumn(), None),
        (psycopg.errors.InFailedSqlTransaction(), None),
        (psycopg.errors.UniqueViolation(), None),
        (ZeroDivisionError(), None),
    ],
)
def test_the_meaning_of_an_error_does_not_depend_on_its_source(error: Exception, words: str | None) -> None:
    def found(raised: BaseException) -> str | None:
        trouble = database_trouble.of(raised)
        return trouble.detail if trouble else None

    said = found(error)
    assert said is None if words is None else words in str(said)
    if isinstance(error, psycopg.Error):
        wrapped = OperationalError() if words else ProgrammingError()
        wrapped.__cause__ = error
        assert found(wrapped) == said


def test_an_interface_error_is_a_database_that_does_not_answer() -> None:
    trouble = database_trouble.of(InterfaceError("connection already closed"))
    assert trouble
    assert "does not answer" in trouble.detail


def test_a_flood_of_refusals_is_a_line_every_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    trouble = database_trouble.of(psycopg.errors.QueryCanceled())
    assert trouble
    noticed = Noticed()
    with caplog.at_level(logging.ERROR):
        for _ in range(200):
            noticed.note(trouble)
    assert len(caplog.records) == 1


def test_a_refused_request_has_no_line_and_no_stack_trace_of_its_own(
    space: Space, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(raise_request_exception=False)
    with locked("articles"), caplog.at_level(logging.ERROR):
        for path in ("/", "/api/articles", "/articles/tin"):
            client.get(path)
            Api().get("/articles")
    assert not [record for record in caplog.records if record.name == "django.request" or record.exc_info]


REFUSALS = [
    ("42501", "the database refuses this request (SQLSTATE 42501 no privilege)"),
    ("XX001", "the database refuses this request (SQLSTATE XX001 data corrupted)"),
    ("23514", "the database refuses this request (SQLSTATE 23514 refused by a check constraint)"),
    ("53100", "the database has no space left"),
    ("58030", "the database refuses this request (SQLSTATE 58030 I/O error)"),
]


@pytest.mark.parametrize(("sqlstate", "words"), REFUSALS)
@pytest.mark.parametrize("table", ["articles", "article_versions", "embedding_tasks"])
def test_a_save_that_the_database_refuses_is_503_with_the_reason(
    space: Space, table: str, sqlstate: str, words: str
) -> None:
    with refusing(sqlstate, table=table):
        answer = Api().post("/articles", {"title": "Tin", "content": "Tin melts early."})
    assert problem(answer, 503)["detail"] == f"{words}; try again in a moment"
    assert answer["Retry-After"] == "5"
    assert (Article.objects.count(), Task.objects.count()) == (0, 0)


def test_a_save_into_a_read_only_database_is_503_and_a_read_is_served(space: Space) -> None:
    article = make_article("Tin", "Tin melts early.")
    api = Api()
    body(api.get("/articles"))
    with read_only():
        refused = [
            api.post("/articles", {"title": "Lead", "content": "Lead is heavy."}),
            api.patch(f"/articles/{article.slug}", {"content": "Changed."}),
            api.delete(f"/articles/{article.slug}"),
        ]
        body(api.get(f"/articles/{article.slug}"))
    for answer in refused:
        assert problem(answer, 503)["detail"] == "the database is read-only; try again in a moment"
        assert answer["Retry-After"] == "5"


def test_a_strangers_constraint_is_a_refusal_and_one_of_ours_is_not(space: Space) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE articles ADD CONSTRAINT no_tin CHECK (title <> 'Tin')")
        try:
            answer = Api().post("/articles", {"title": "Tin", "content": "Tin melts early."})
        finally:
            cursor.execute("ALTER TABLE articles DROP CONSTRAINT no_tin")
        assert "SQLSTATE 23514" in problem(answer, 503)["detail"]
        with pytest.raises(IntegrityError) as ours:
            cursor.execute("UPDATE queue_state SET mode = 'sideways'")
    assert database_trouble.of(ours.value) is None


def test_every_check_constraint_of_the_schema_is_known_as_ours() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
        )
        assert {name for (name,) in cursor.fetchall()} <= database_trouble._own_checks()


@pytest.mark.parametrize(("sqlstate", "words"), REFUSALS)
def test_the_admin_and_its_login_name_the_refusal(
    space: Space, settings: Settings, sqlstate: str, words: str
) -> None:
    settings.PASSWORD_HASHERS = QUICK
    person, client = make_ada(), Client(raise_request_exception=False)
    with refusing(sqlstate, table="sign_in_sessions"):
        answers = [client.post("/admin/login/", {"username": "ada", "password": SECRET})]
    client.force_login(person)
    with refusing(sqlstate, table="articles"):
        fields = {"title": "Tin", "slug": "tin", "content": "Tin.", "metadata": "{}"}
        answers.append(client.post("/admin/articles/article/add/", fields))
    for answer in answers:
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert words in answer.content.decode()


def test_an_admin_of_a_read_only_database_is_a_503_that_says_so(space: Space, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = QUICK
    make_ada()
    client = Client(raise_request_exception=False)
    with read_only():
        answer = client.post("/admin/login/", {"username": "ada", "password": SECRET})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "the database is read-only" in answer.content.decode()


def test_the_servers_message_is_in_the_log_and_not_in_the_reply(
    space: Space, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_trouble, "noticed", Noticed())
    with refusing("XX001", table="articles"), caplog.at_level(logging.ERROR):
        answer = Api().post("/articles", {"title": "Tin", "content": "Tin melts early."})
    assert "No space left on device" in caplog.text
    assert "No space left on device" not in answer.content.decode()
