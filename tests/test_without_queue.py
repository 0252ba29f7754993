"""Without the queue's tables everything else works: a save embeds in its request, pages and searches answer."""

import io
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings
from structlog.testing import capture_logs

from articles.models import Article
from articles.signals import articles_written
from config.stack import firststart
from embeddings.models import Space
from embeddings.search import search
from embeddings.storage import coverage
from queueops import actors
from queueops.base import installed
from queueops.engine import modes, receivers
from queueops.models import Mode, QueueState
from queueops.monitoring import article_status, health, snapshot
from queueops.monitoring.health import Condition
from queueops.worker import drain
from queueops.worker.housekeeper import Housekeeper
from tests.factories import Api, body, problem
from tests.providers import FakeProvider
from tests.queueops.cli_runner import queue_admin
from tests.queueops.conftest import provider, provider_process, space  # noqa: F401  fixtures
from tests.queueops.factories import make_article

pytestmark = pytest.mark.django_db


@pytest.fixture
def no_queue(space: Space, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Space:  # noqa: F811
    """Takes the queue's tables away as the migrations do, until the test's transaction is rolled back."""
    with connection.cursor() as cursor:
        for model in apps.get_app_config("queueops").get_models():
            cursor.execute(f"DROP TABLE {model._meta.db_table} CASCADE")
    installed.forget()
    modes.forget()
    return space


def save(capture: DjangoCaptureOnCommitCallbacks, **fields: Any) -> Article:
    with capture(execute=True):
        return make_article(**fields)


def test_the_view_goes_with_the_first_table(no_queue: Space) -> None:
    assert not installed.look()


def test_a_table_does_not_go_without_the_view() -> None:
    with connection.cursor() as cursor, pytest.raises(Exception, match="queue_is_installed"):
        cursor.execute("DROP TABLE embedding_tasks")


def test_a_save_embeds_the_article_and_a_search_finds_it(
    no_queue: Space, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    article = save(django_capture_on_commit_callbacks, title="Copper", content="How copper is drawn to wire.")
    assert coverage.of(no_queue) == coverage.Coverage(1, 1)
    assert [hit.slug for hit in search("copper wire", k=1).hits] == [article.slug]


def test_an_edit_replaces_the_vectors(
    no_queue: Space, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    article = save(django_capture_on_commit_callbacks)
    with django_capture_on_commit_callbacks(execute=True):
        article.content = "Quite another text."
        article.save()
    assert list(article.embeddings.values_list("source_version", flat=True)) == [2]


def test_a_provider_that_fails_does_not_fail_the_save(
    no_queue: Space,
    provider: FakeProvider,  # noqa: F811
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    provider.config(rate_500=1)
    article = save(django_capture_on_commit_callbacks)
    assert article_status.embedding_states([article])[article.pk]["state"] == "behind"
    assert "Save it again" in article_status.explain(article)["why"]


def test_imported_articles_are_embedded_too(
    no_queue: Space, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    articles = Article.objects.bulk_create(
        Article(slug=f"a-{n}", title=f"{n}", content=f"Text {n}.") for n in range(3)
    )
    with django_capture_on_commit_callbacks(execute=True):
        articles_written.send(None, article_ids=[article.pk for article in articles], reason="import")
    assert coverage.of(no_queue).current == 3


def test_nothing_is_embedded_where_the_settings_switch_it_off(
    no_queue: Space, settings: Settings, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    settings.SEMANTIC_SEARCH_ENABLED = False
    modes.forget()
    assert modes.current() is Mode.DISABLED
    save(django_capture_on_commit_callbacks)
    assert coverage.of(no_queue).current == 0


def test_an_article_is_deleted_as_ever(
    no_queue: Space, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    save(django_capture_on_commit_callbacks).delete()
    assert not Article.objects.exists()


def test_the_api_saves_reads_explains_and_searches(
    no_queue: Space, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, clean_cache: None
) -> None:
    api = Api()
    with django_capture_on_commit_callbacks(execute=True):
        made = body(api.post("/articles", {"title": "Tin", "content": "Tin melts early."}), 201)
    assert body(api.get(f"/articles/{made['slug']}"))["embedding"]["state"] == "embedded"
    assert "embedded in 1 chunk" in body(api.get(f"/articles/{made['slug']}/embedding"))["why"]
    assert body(api.post("/search", {"query": "tin"}))["results"]


def test_the_api_of_the_queue_returns_its_state_and_what_is_missing(
    no_queue: Space, clean_cache: None
) -> None:
    assert body(Api().get("/queue"))["installed"] is False
    assert "python manage.py migrate" in problem(Api().get("/queue/tasks"), 503)["detail"]


@pytest.mark.parametrize(("is_queue_wanted", "condition"), [(True, "degraded"), (False, "ok")])
def test_health_is_degraded_only_where_a_queue_is_wanted(
    no_queue: Space, settings: Settings, is_queue_wanted: bool, condition: str
) -> None:
    settings.EMBEDDING_QUEUE_ENABLED = is_queue_wanted
    modes.forget()
    assert health.judge(snapshot.take()).condition == Condition(condition)


def test_the_page_of_health_answers(no_queue: Space, client: Client) -> None:
    """By a session of its own, which finds the tables locked by this test's."""
    assert client.get("/health").status_code == 200


def test_stats_say_that_it_is_not_installed(no_queue: Space) -> None:
    token = {"authorization": f"Bearer {Api().token}"}
    from_page = Api().client.get("/stats", headers=token).json()
    assert (from_page["installed"], from_page["mode"]) == (False, "synchronous")


def test_public_pages_answer(
    no_queue: Space,
    client: Client,
    admin_client: Client,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    article = save(django_capture_on_commit_callbacks)
    for page in ("/", "/search?q=content", f"/articles/{article.slug}"):
        assert client.get(page).status_code == 200
        assert admin_client.get(page).status_code == 200


def test_the_admin_has_no_pages_of_the_queue_and_all_others(
    no_queue: Space, admin_client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    article = save(django_capture_on_commit_callbacks)
    front = admin_client.get(reverse("admin:index"))
    assert front.status_code == 200
    assert reverse("admin:queueops_worker_changelist") not in front.content.decode().split("vp-rooms")[1]
    for name in ("task", "worker", "queuestate", "providerstate", "auditlog", "metric"):
        assert admin_client.get(reverse(f"admin:queueops_{name}_changelist")).status_code == 403
    assert admin_client.get(reverse("admin:articles_article_changelist")).status_code == 200
    gone = reverse("admin:articles_article_delete", args=[article.pk])
    assert admin_client.get(gone).status_code == 200
    assert admin_client.post(gone, {"post": "yes"}).status_code == 302


@pytest.mark.parametrize("verb", [["status"], ["pause", "--reason", "a test"], ["maintenance", "--once"]])
def test_every_verb_says_in_one_sentence_that_there_is_no_queue(no_queue: Space, verb: list[str]) -> None:
    called = queue_admin(*verb)
    assert (called.code, called.out) == (2, "")
    assert called.sentence == installed.missing()


def test_workers_do_not_start(no_queue: Space) -> None:
    with pytest.raises(CommandError, match="no workers started: the queue is not installed") as refused:
        call_command("rundramatiq", stdout=io.StringIO())
    assert refused.value.returncode == 2


def test_workers_that_run_wait_for_it_to_come_back(no_queue: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    pulse: Any = Housekeeper()
    pulse.worker_id = 1
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's transaction is in it
    with capture_logs() as lines:
        pulse._once(interval=5)
        pulse._once(interval=5)
    assert pulse.worker_id is None
    assert [line["event"] for line in lines] == [f"idle: {installed.missing()}"]
    assert drain.drain(1, seconds=1).tasks == 0
    actors.embed_due.fn()


def test_a_removal_that_was_cut_off_is_put_right_by_the_next_migrate() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP VIEW queue_is_installed")
    installed.after_migrate()
    assert installed.look()


def test_migrating_makes_the_row_of_the_state_only_where_its_table_is(no_queue: Space) -> None:
    QueueState.ensure_row()


def test_the_stack_leaves_a_removed_queue_away() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'queueops'")
    assert firststart.is_queue_removed()
    assert firststart.pending_migrations() == []


def test_a_first_start_that_was_cut_off_is_not_a_removal() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app >= 'queueops'")
    assert not firststart.is_queue_removed()
    assert firststart.pending_migrations() == [[]]


def test_receivers_ask_for_no_table_that_is_not_there(
    no_queue: Space, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    installed.is_there()
    modes.current()
    with django_assert_max_num_queries(0):
        receivers.articles_written([1], "import")
