"""The first request of a worker process: what is wrong with the provider is named before an article waits for it."""

import time

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from embeddings.models import Space
from embeddings.providers.errors import ErrorClass
from queueops.engine import modes
from queueops.models import Breaker, ProviderState, QueueState, Worker
from queueops.monitoring import health, snapshot
from queueops.worker import startup_probe
from tests.providers import FakeProvider
from tests.queueops.factories import make_space

pytestmark = pytest.mark.django_db


def test_a_wrong_width_is_named_with_the_next_step_where_operators_look(provider: FakeProvider) -> None:
    provider.config(ignore_dimensions=True)
    error = startup_probe.probe(make_space(dimensions=16))
    said = "another width: 16 wanted, 8 came. Set EMBEDDING_MODEL to the model that the server runs, or "
    assert said + "EMBEDDING_DIMENSIONS=8" in str(error)
    assert said in ProviderState.objects.get().last_error
    sentences = " ".join(health.judge(snapshot.take()).reasons)
    assert f"The last request to the provider openai failed (the provider's vectors have {said}" in sentences


def test_a_provider_that_is_well_costs_one_request_and_leaves_nothing(
    space: Space, provider: FakeProvider
) -> None:
    assert startup_probe.probe(space) is None
    assert provider.stats()["requests"] == 1
    assert not ProviderState.objects.exists()


def test_a_refused_key_pauses_the_queue_as_in_a_batch(space: Space, provider: FakeProvider) -> None:
    QueueState.objects.update(changed_at="2020-01-01T00:00Z")
    provider.config(fail_next=["401"])
    error = startup_probe.probe(space)
    assert error is not None
    assert error.kind is ErrorClass.AUTH
    assert "check the key" in QueueState.objects.get(is_paused=True).reason


def test_an_open_breaker_is_respected(space: Space, provider: FakeProvider) -> None:
    ProviderState.objects.create(name=space.provider, breaker=Breaker.OPEN, retry_at="2100-01-01T00:00Z")
    assert startup_probe.probe(space) is None
    assert provider.stats()["requests"] == 0


def test_a_success_after_failures_is_counted_as_that_of_a_batch(space: Space, provider: FakeProvider) -> None:
    ProviderState.objects.create(name=space.provider, failures=2)
    startup_probe.probe(space)
    assert ProviderState.objects.get().failures == 0


def test_a_spent_budget_sends_nothing_and_blames_nobody(
    space: Space, provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_DAILY_TOKEN_BUDGET = settings.EMBEDDING_REQUESTS_PER_MINUTE = 1
    ProviderState.objects.create(name=space.provider, requests_full_at="2100-01-01T00:00Z")
    assert startup_probe.probe(space) is None
    assert provider.stats()["requests"] == 0
    assert ProviderState.objects.get().failures == 0


@pytest.mark.parametrize("held_by", ["pause", "brake", "mode", "stop"])
def test_nothing_is_sent_while_an_operator_holds_the_queue(
    space: Space, provider: FakeProvider, settings: Settings, held_by: str
) -> None:
    QueueState.objects.update(is_paused=held_by == "pause", mode="disabled" if held_by == "mode" else "")
    if held_by == "brake":
        Worker.objects.create(pk=1, is_running=False, last_seen_at=Now())
    modes.forget()
    startup_probe._ask_all(lambda: held_by == "stop")
    assert provider.stats()["requests"] == 0


@pytest.mark.django_db(transaction=True)
def test_a_silent_provider_delays_no_start(space: Space, provider: FakeProvider) -> None:
    provider.config(fail_next=["hang"], hang_s=3)
    began = time.monotonic()
    thread = startup_probe.begin()
    assert time.monotonic() - began < 1
    thread.join(30)
    assert not thread.is_alive()
    assert ProviderState.objects.get().failures == 1
