"""What is answered while a stranger locks a table, the pool is empty, or a statement takes too long."""

import logging

import psycopg
import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError, connection
from django.test import Client
from psycopg_pool import PoolTimeout

from articles.models import Article, ArticleVersion
from config.http import database_trouble, unavailable
from config.http.database_trouble import Noticed
from config.lock_waits import lock_waits
from queueops.engine import modes
from queueops.models import Task
from tests.admin_rows import make_person
from tests.factories import Api, body, problem
from tests.queueops.factories import make_article, make_space, make_worker
from tests.table_locks import locked, waiting_at_most

pytestmark = pytest.mark.django_db(transaction=True)
LOCKED = "the database is locked: another session holds what this request needs; try again in 5 s"


@pytest.fixture(autouse=True)
def briefly():
    """As a web process has it, but shorter."""
    with waiting_at_most(100):
        yield
    lock_waits.forget()


@pytest.fixture
def space(clean_cache):
    make_worker()
    return make_space()


@pytest.mark.parametrize("table", ["articles", "article_versions", "embedding_tasks", "embedding_spaces"])
def test_a_save_that_meets_a_lock_is_503_and_leaves_nothing_half_done(space, table):
    api = Api()
    with locked(table):
        answer = api.post("/articles", {"title": "Tin", "content": "Tin melts early."})
    assert problem(answer, 503)["detail"] == LOCKED
    assert answer["Retry-After"] == "5"
    assert (Article.objects.count(), ArticleVersion.objects.count(), Task.objects.count()) == (0, 0, 0)
    assert body(api.post("/articles", {"title": "Tin", "content": "Tin melts early."}), 201)


@pytest.mark.parametrize("table", ["articles", "article_embeddings", "embedding_tasks"])
def test_an_edit_that_meets_a_lock_changes_nothing(space, table):
    article = make_article("Tin", "Tin melts early.")
    with locked(table):
        problem(Api().patch(f"/articles/{article.slug}", {"content": "Changed."}), 503)
    assert Article.objects.get().content == "Tin melts early."
    assert ArticleVersion.objects.count() == 1


@pytest.mark.parametrize("table", ["articles", "embedding_spaces", "api_tokens"])
def test_a_search_that_meets_a_lock_is_503(space, table):
    with locked(table):
        problem(Api().post("/search", {"query": "tin", "mode": "keyword"}), 503)


@pytest.mark.parametrize(
    "table", ["embedding_tasks", "embedding_audit_logs", "performance_metrics", "queue_state"]
)
def test_a_search_goes_on_beside_a_lock_that_it_does_not_need(space, table):
    make_article("Tin", "Tin melts early.")
    question = {"query": "tin", "mode": "keyword"}
    body(Api().post("/search", question))
    with locked(table):
        assert body(Api().post("/search", question))["results"]


def test_the_mode_that_was_read_last_stays_in_force_while_its_row_is_locked(space):
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
def test_a_page_that_meets_a_lock_is_a_plain_503(space, table, path):
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
def test_the_admin_that_meets_a_lock_is_a_plain_503(space, table, path):
    client = Client(raise_request_exception=False)
    permissions = ("queueops.view_task", "articles.view_article")
    client.force_login(make_person("ada", *permissions))
    with locked(table):
        answer = client.get(path)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert client.get(path).status_code == 200


def test_what_middleware_raises_is_answered_in_the_same_way(space, rf):
    for path, kind in (("/", "text/html"), ("/api/articles", "application/problem+json")):
        try:
            with locked("articles"), connection.cursor() as cursor:
                cursor.execute("SELECT FROM articles")
        except OperationalError:
            answer = unavailable.server_error(rf.get(path))
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert answer["Content-Type"].startswith(kind)


def test_a_statement_that_takes_too_long_is_503(space):
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
        (psycopg.errors.UndefinedColumn(), None),
        (ZeroDivisionError(), None),
    ],
)
def test_what_an_error_means_does_not_depend_on_who_raised_it(error, words):
    def found(raised: BaseException) -> str | None:
        trouble = database_trouble.of(raised)
        return trouble.detail if trouble else None

    said = found(error)
    assert said is None if words is None else words in str(said)
    if isinstance(error, psycopg.Error):
        wrapped = OperationalError() if words else ProgrammingError()
        wrapped.__cause__ = error
        assert found(wrapped) == said


def test_an_interface_error_is_a_database_that_does_not_answer():
    trouble = database_trouble.of(InterfaceError("connection already closed"))
    assert trouble
    assert "does not answer" in trouble.detail


def test_a_flood_of_refusals_is_a_line_every_ten_seconds(caplog):
    trouble = database_trouble.of(psycopg.errors.QueryCanceled())
    assert trouble
    noticed = Noticed()
    with caplog.at_level(logging.ERROR):
        for _ in range(200):
            noticed.note(trouble)
    assert len(caplog.records) == 1


def test_a_refused_request_has_no_line_and_no_stack_trace_of_its_own(space, caplog):
    client = Client(raise_request_exception=False)
    with locked("articles"), caplog.at_level(logging.ERROR):
        for path in ("/", "/api/articles", "/articles/tin"):
            client.get(path)
            Api().get("/articles")
    assert not [record for record in caplog.records if record.name == "django.request" or record.exc_info]
