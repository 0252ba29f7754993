"""Budgets that all processes share: a minute's requests and tokens, calls in flight, a day's tokens."""

import contextlib
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import DjangoAssertNumQueries, Settings

from articles.models import Article
from embeddings.indexing.embed import embed
from embeddings.indexing.metering import FREE
from embeddings.indexing.render import Source, render
from embeddings.models import Space
from embeddings.providers.registry import provider_of
from queueops.admission import gate, rate_limiter
from queueops.admission.rate_limiter import Bucket, OverBudgetError
from queueops.models import ProviderState, Task, Worker
from queueops.worker.drain import drain
from tests.concurrently import together
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_tasks

pytestmark = pytest.mark.django_db


def state() -> ProviderState:
    return ProviderState.objects.get(name="openai")


def pass_time(seconds: float) -> None:
    """As if so much time had gone by since the last call."""
    gone = timedelta(seconds=seconds)
    ProviderState.objects.update(
        requests_full_at=F("requests_full_at") - gone,
        tokens_full_at=F("tokens_full_at") - gone,
        blocked_until=F("blocked_until") - gone,
    )


def calls_until_refused(tokens: int = 1) -> int:
    meter, count = rate_limiter.meter("openai"), 0
    with contextlib.suppress(OverBudgetError):
        for _ in range(1000):
            with meter.call(tokens):
                count += 1
    return count


def refusal(tokens: int = 1) -> float:
    """Seconds until the next call is let through."""
    with pytest.raises(OverBudgetError) as caught, rate_limiter.meter("openai").call(tokens):
        pass
    assert caught.value.retry_after is not None
    return caught.value.retry_after


@pytest.mark.parametrize("per_minute", [1, 2, 5, 9, 10, 60, 3000, 1_000_000])
def test_no_minute_sees_more_than_its_budget(per_minute: int) -> None:
    bucket = Bucket.of(per_minute)
    at_once = bucket.depth / bucket.unit
    refilled_in_a_minute = rate_limiter.MINUTE / bucket.unit
    assert int(at_once + refilled_in_a_minute + 1e-6) <= per_minute


def test_a_request_larger_than_the_bucket_needs_all_of_it() -> None:
    bucket = Bucket.of(100)
    assert bucket.needs(1) == bucket.cost(1)
    assert bucket.needs(1000) == bucket.depth


def test_without_a_limit_nothing_is_asked_and_nothing_written(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    assert rate_limiter.meter("openai") is FREE
    with django_assert_num_queries(0), rate_limiter.meter("openai").call(5):
        pass


def test_requests_beyond_the_budget_are_refused_until_the_reported_time(settings: Settings) -> None:
    settings.EMBEDDING_REQUESTS_PER_MINUTE = 60
    assert calls_until_refused() == 6
    wait = refusal()
    assert 0 < wait <= 60 / 54
    pass_time(wait)
    assert calls_until_refused() == 1


def test_a_refusal_holds_every_worker_back_until_then(settings: Settings) -> None:
    settings.EMBEDDING_REQUESTS_PER_MINUTE = 60
    calls_until_refused()
    assert gate.admit("openai").wait == pytest.approx(60 / 54, abs=0.2)
    pass_time(2)
    assert gate.admit("openai").wait == 0


def test_tokens_beyond_the_budget_are_refused(settings: Settings) -> None:
    settings.EMBEDDING_TOKENS_PER_MINUTE = 1_000
    assert calls_until_refused(tokens=30) == 3
    assert refusal(tokens=30) == pytest.approx(20 * 60 / 900, abs=0.3)


def test_one_call_larger_than_the_bucket_goes_when_it_is_full_and_is_paid_for_afterwards(
    settings: Settings,
) -> None:
    settings.EMBEDDING_TOKENS_PER_MINUTE = 1_000
    assert calls_until_refused(tokens=500) == 1
    assert refusal(tokens=1) > 25


def test_providers_have_budgets_of_their_own(settings: Settings) -> None:
    settings.EMBEDDING_REQUESTS_PER_MINUTE = 10
    assert calls_until_refused() == 1
    with rate_limiter.meter("ollama").call(1):
        pass


def test_calls_in_flight_are_counted_and_given_back(settings: Settings) -> None:
    settings.EMBEDDING_CALLS_IN_FLIGHT = 2
    meter = rate_limiter.meter("openai")
    with meter.call(1), meter.call(1):
        refusal()
        assert gate.admit("openai").wait > 0
    assert state().calls == {}
    with meter.call(1):
        pass


def test_a_call_that_raises_gives_its_slot_back(settings: Settings) -> None:
    settings.EMBEDDING_CALLS_IN_FLIGHT = 1
    with pytest.raises(ZeroDivisionError), rate_limiter.meter("openai").call(1):
        raise ZeroDivisionError
    assert state().calls == {}


def test_the_slot_of_a_killed_worker_ends_with_its_lease(settings: Settings) -> None:
    settings.EMBEDDING_CALLS_IN_FLIGHT = 1
    ProviderState.objects.create(name="openai", calls={"dead": 1.0})
    assert gate.admit("openai").wait == 0
    with rate_limiter.meter("openai").call(1):
        assert list(state().calls) != ["dead"]
        assert len(state().calls) == 1


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_share_one_budget(settings: Settings, space: Space) -> None:
    settings.EMBEDDING_REQUESTS_PER_MINUTE = 100
    settings.EMBEDDING_CALLS_IN_FLIGHT = 50
    began = time.monotonic()
    count = sum(together(4, calls_until_refused))
    refilled = (time.monotonic() - began) * 90 / 60
    assert 10 <= count <= 10 + refilled + 1
    assert state().calls == {}


def test_texts_beyond_the_budget_are_released_uncharged_and_results_are_kept(
    space: Space, worker: Worker, provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_TOKENS_PER_MINUTE = 1_000  # a hundred at once
    for n in range(3):
        make_article(f"Title {n}", f"{n} " * 120)
    drained = drain(worker.pk, seconds=5)
    assert drained.wait is not None
    assert sorted(Task.objects.values_list("status", "attempts")) == [
        ("completed", 1),
        ("pending", 0),
        ("pending", 0),
    ]
    assert provider.stats()["requests"] == 1
    drain(worker.pk, seconds=5)
    assert provider.stats()["requests"] == 1
    pass_time(60)
    drain(worker.pk, seconds=5)
    assert provider.stats()["requests"] == 2


def test_an_article_larger_than_the_bucket_waits_for_more_instead_of_starting_over(
    space: Space, worker: Worker, provider: FakeProvider, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMBEDDING_REQUESTS_PER_MINUTE = 60  # six at once
    one_text = replace(provider_of(space).limits, max_inputs=1)
    monkeypatch.setattr(provider_of(space), "limits", one_text)
    article = make_article(
        "Long", "\n\n".join(f"Paragraph {n} says a thing of its own. " * 15 for n in range(4))
    )
    for _ in range(5):
        with rate_limiter.meter("openai").call(1):
            pass
    drain(worker.pk, seconds=5)
    stats = provider.stats()
    assert article.embeddings.count() == stats["requests"] == stats["distinct_texts"] > 1


def test_an_error_keeps_the_vectors_that_were_paid_for_before_it(
    space: Space, provider: FakeProvider
) -> None:
    class InSmallRequests:
        most_tokens = 10

        def call(self, tokens: int) -> contextlib.AbstractContextManager[None]:
            return contextlib.nullcontext()

    articles = [make_article(f"Title {n}", f"Some text {n}.") for n in range(3)]
    rendered = [
        render(space, Source(a.pk, a.version_number, a.content_hash, a.title, a.content)) for a in articles
    ]
    provider.config(fail_next=["reordered", "500"])
    made = embed(space, rendered, {}, 5, InSmallRequests())
    assert (len(made.by_hash), made.texts, made.requests) == (1, 1, 2)
    assert made.failure is not None


def test_a_spent_day_holds_the_lowest_rank_back_while_edits_flow(
    space: Space, worker: Worker, settings: Settings
) -> None:
    settings.EMBEDDING_DAILY_TOKEN_BUDGET = 50
    make_tasks(20, space, priority="low", scheduled_at=Now() - timedelta(minutes=10))
    drain(worker.pk, seconds=5)
    assert state().tokens_today > 50
    Article.objects.all().delete()
    make_tasks(3, space, priority="low", scheduled_at=Now() - timedelta(minutes=10))
    edit = make_article("An edit", "Fresh text.")
    drain(worker.pk, seconds=5)
    waiting = Task.objects.pending()
    assert (waiting.count(), set(waiting.values_list("priority", "attempts"))) == (3, {("low", 0)})
    assert edit.embeddings.exists()
    ProviderState.objects.update(day=Now() - timedelta(days=1))
    drain(worker.pk, seconds=5)
    assert not waiting.exists()
