"""One text, followed from save to search: real servers, real worker threads, the fake provider."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
from django.conf import settings as django_settings
from django.test import Client
from dramatiq.brokers.redis import RedisBroker
from pytest_django import Settings

from articles.models import Article
from embeddings.models import ArticleEmbedding, Space
from queueops import actors
from queueops.models import QueueState, Task, Worker
from queueops.wakeups import doorbell
from tests.providers import FakeProvider
from tests.queueops.conftest import NO_FAULTS
from tests.queueops.factories import make_space
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("flow"), pytest.mark.process]


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(dimensions=64) as process:
        yield process


@pytest.fixture
def space(provider: FakeProvider, settings: Settings) -> Space:
    provider.config(**NO_FAULTS)
    settings.OPENAI_BASE_URL = provider.url + "/v1"
    settings.EMBEDDING_WORKER_INTERVAL = 200
    return make_space(dimensions=64)


def broker_client() -> Any:
    broker = dramatiq.get_broker()
    assert isinstance(broker, RedisBroker)
    return broker.client


@pytest.fixture
def workers(space: Space) -> Iterator[dramatiq.Worker]:
    """Dramatiq's own worker threads on the real broker, as `rundramatiq` runs them."""
    broker = dramatiq.get_broker()
    assert isinstance(broker, RedisBroker)
    broker.client.flushdb()
    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=100)
    worker.start()
    yield worker
    worker.stop()
    broker.client.flushdb()


@pytest.fixture
def call(client: Client) -> Callable[..., tuple[int, Any]]:
    """A request to the API with the bootstrap token; answers (status, JSON)."""

    def send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        reply = client.generic(
            method,
            path,
            json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers={"authorization": f"Bearer {django_settings.AUTH_TOKEN}"},
        )
        return reply.status_code, json.loads(reply.content) if reply.content else None

    return send


def test_a_saved_article_is_found_by_meaning_and_a_deleted_one_is_not(
    call: Callable[..., tuple[int, Any]], workers: dramatiq.Worker
) -> None:
    status, article = call(
        "POST", "/api/articles", {"title": "Aardvarks", "content": "They eat ants at night."}
    )
    assert (status, article["embedding"]["state"]) == (201, "pending")
    slug = article["slug"]
    wait_until(lambda: call("GET", f"/api/articles/{slug}")[1]["embedding"]["state"] == "embedded")
    _, reply = call("POST", "/api/search", {"query": "who eats ants at night", "k": 5})
    assert [hit["slug"] for hit in reply["results"]] == [slug]
    assert (reply["degraded"], reply["answered_by"]) == (False, "semantic")
    call("PATCH", f"/api/articles/{slug}", {"content": "They sleep during the day."})
    wait_until(lambda: ArticleEmbedding.objects.get().source_version == 2)
    call("DELETE", f"/api/articles/{slug}")
    _, reply = call("POST", "/api/search", {"query": "who sleeps during the day", "k": 5})
    assert reply["results"] == []


def test_a_wake_up_that_was_lost_costs_one_sweep(workers: dramatiq.Worker, space: Space) -> None:
    broker = dramatiq.get_broker()
    Article.objects.bulk_create([Article(slug="quiet", title="Quiet", content="Nobody rang for this one.")])
    assert isinstance(broker, RedisBroker)
    broker.client.flushdb()
    wait_until(lambda: ArticleEmbedding.objects.exists(), what="the sweep to find the article")


def test_wake_ups_that_come_five_times_make_one_vector(
    workers: dramatiq.Worker, provider: FakeProvider
) -> None:
    article = Article(title="Once", content="Embedded once.")
    article.save()
    for _ in range(5):
        doorbell.ring()
    wait_until(lambda: Task.objects.filter(status="completed").exists())
    wait_until(lambda: broker_client().llen("vectorpress:vectorpress.embed") == 0)
    assert ArticleEmbedding.objects.get().article_id == article.pk
    assert provider.stats()["texts"] == 1


def test_a_paused_queue_waits_and_goes_on_when_it_is_resumed(workers: dramatiq.Worker) -> None:
    QueueState.objects.update_or_create(pk=1, defaults={"is_paused": True})
    Article(title="Later", content="Not before the pause ends.").save()
    wait_until(lambda: broker_client().llen("vectorpress:vectorpress.embed") == 0)
    assert Task.objects.get().status == "pending"
    QueueState.objects.update(is_paused=False)
    wait_until(lambda: Task.objects.get().status == "completed", what="the sweep to ring again")


def test_workers_update_their_rows_while_they_live(workers: dramatiq.Worker) -> None:
    wait_until(lambda: Worker.objects.filter(is_running=True).exists())
    workers.stop()
    assert not Worker.objects.exists()
    workers.start()


def test_a_provider_outage_delays_and_loses_nothing(
    workers: dramatiq.Worker, provider: FakeProvider, call: Callable[..., tuple[int, Any]]
) -> None:
    provider.config(rate_500=1)
    Article(title="Patient", content="Waits for the provider.").save()
    wait_until(lambda: Task.objects.get().error_class == "transient")
    status, reply = call("POST", "/api/search", {"query": "patient waits", "k": 5})
    assert (status, reply["degraded"], reply["results"][0]["slug"]) == (200, True, "patient")
    provider.config(rate_500=0)
    wait_until(lambda: Task.objects.get().status == "completed", what="the retry")


def test_synchronous_mode_embeds_in_the_request(
    call: Callable[..., tuple[int, Any]], space: Space, settings: Settings
) -> None:
    settings.EMBEDDING_QUEUE_ENABLED = False
    _, article = call("POST", "/api/articles", {"title": "Now", "content": "Embedded before the answer."})
    assert article["embedding"]["state"] == "embedded"
    assert Task.objects.get().claimed_by == "request"


def test_in_synchronous_mode_a_failing_provider_never_fails_the_save(
    call: Callable[..., tuple[int, Any]], space: Space, settings: Settings, provider: FakeProvider
) -> None:
    settings.EMBEDDING_QUEUE_ENABLED = False
    provider.config(rate_500=1)
    status, article = call("POST", "/api/articles", {"title": "Now", "content": "The provider is gone."})
    assert (status, article["embedding"]["state"]) == (201, "pending")


def test_the_actors_are_those_that_the_doorbell_rings_for() -> None:
    declared = {actors.embed_due.actor_name, actors.build_indexes.actor_name}
    assert declared == {doorbell.EMBED_DUE, doorbell.BUILD_INDEXES}
