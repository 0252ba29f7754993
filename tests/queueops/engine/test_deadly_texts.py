"""A text that crashes its provider, over real HTTP: it is found and parked, and texts sent with it are not."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from articles.models import Article
from embeddings.indexing.render import Source, render
from embeddings.models import Space
from queueops.engine import claims, execution
from queueops.models import ProviderState, Task, Worker
from queueops.worker.drain import drain
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_tasks, make_worker

pytestmark = pytest.mark.django_db
MOST_ROUNDS = 60


@pytest.fixture(autouse=True)
def server(provider: FakeProvider, settings: Settings) -> Iterator[FakeProvider]:
    settings.EMBEDDING_BATCH_SIZE = 100
    provider.config(deadly="nitroglycerine", down_requests=2, retry_after="")
    yield provider
    provider.config(retry_after="1")


def work_off(worker: Worker) -> None:
    """Round after round, each after every wait has passed."""
    for _ in range(MOST_ROUNDS):
        past = Now() - timedelta(seconds=1)
        ProviderState.objects.update(retry_at=past, blocked_until=None)
        Task.objects.pending().filter(scheduled_at__gt=past).update(scheduled_at=past)
        drain(worker.pk, seconds=20)
        if not Task.objects.live().exists():
            return


def test_it_is_parked_and_all_that_were_sent_with_it_are_embedded(space: Space, worker: Worker) -> None:
    make_tasks(99, space)
    deadly = make_article("Do not shake", "nitroglycerine")
    work_off(worker)
    (parked,) = Task.objects.failed()
    assert (parked.article_id, parked.error_class) == (deadly.pk, "provider_lost")
    assert "broke off" in parked.error_message
    assert Task.objects.filter(outcome="embedded").count() == 99


LONG = " ".join(f"word{number}" for number in range(150))


def source_of(article: Article) -> Source:
    article.refresh_from_db()
    return Source(article.pk, article.version_number, article.content_hash, article.title, article.content)


def test_a_long_text_that_crashes_it_by_its_length_is_embedded_in_small_chunks(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    provider.config(deadly="", deadly_tokens=100)
    make_tasks(40, space)
    article = make_article("Long", LONG)
    work_off(worker)
    assert not Task.objects.failed().exists()
    assert Task.objects.filter(outcome="embedded").count() == 41
    spans = article.embeddings.order_by("chunk_index").values_list("span", flat=True)
    covered = "".join(LONG[span.lower : span.upper] for span in spans)
    assert covered.replace(" ", "") == LONG.replace(" ", "")
    assert all(span.upper - span.lower < 400 for span in spans)


def test_a_long_text_is_sent_whole_and_alone_before_it_is_cut(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    article = make_article("Long", LONG)
    Task.objects.update(error_class="provider_lost", attempts=F("max_attempts") - 1)
    provider.config(deadly="", fail_next=["cut", "503", "503"])
    work_off(worker)
    task = Task.objects.get()
    assert (task.outcome, task.metadata.get("cut")) == ("embedded", True)
    assert article.embeddings.count() >= 6
    provider.config(fail_next=[])
    whole = len(render(space, source_of(other := make_article("Also long", LONG + " end"))).chunks)
    Task.objects.filter(article=other).update(error_class="provider_lost", attempts=F("max_attempts") - 1)
    work_off(worker)
    assert other.embeddings.count() == whole


def test_a_long_text_that_crashes_it_in_small_chunks_too_is_parked(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    make_article("Long", f"{LONG} nitroglycerine")
    make_tasks(20, space)
    work_off(worker)
    (parked,) = Task.objects.failed()
    assert (parked.error_class, parked.attempts) == ("provider_lost", parked.max_attempts)
    assert Task.objects.filter(outcome="embedded").count() == 20


def test_several_in_one_batch_are_each_found(space: Space, worker: Worker) -> None:
    make_tasks(60, space)
    for number in range(3):
        make_article(f"Do not shake {number}", f"nitroglycerine {number}")
    work_off(worker)
    assert Task.objects.failed().count() == 3
    assert Task.objects.filter(outcome="embedded").count() == 60


def test_at_its_last_attempt_one_such_task_is_tried_at_a_time_by_all_workers(space: Space) -> None:
    make_tasks(3, space)
    Task.objects.update(error_class="provider_lost", attempts=F("max_attempts") - 1)
    sizes = []
    for name in ("one", "another"):
        worker = make_worker(name=name)
        sizes.append(len(claims.claim_due(space, 10, worker.pk, worker.name).tasks))
    assert sizes == [1, 0]


def test_a_text_that_was_never_alone_is_not_parked_whatever_its_other_attempts_went_to(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    make_tasks(40, space)
    Task.objects.update(error_class="transient", attempts=F("max_attempts") - 1)
    provider.config(deadly="", fail_next=["cut"] * 3)
    claims_of = claims.claim_due(space, 40, worker.pk, worker.name)
    execution.execute(claims_of)
    kept = Task.objects.pending()
    assert set(kept.values_list("error_class", "attempts")) == {("provider_lost", 2)}
    assert kept.count() == 40


@pytest.mark.parametrize("kind", ["provider_lost", "worker_lost"])
def test_lost_tasks_stay_in_small_batches_after_being_deferred(
    space: Space, worker: Worker, provider: FakeProvider, kind: str
) -> None:
    make_tasks(40, space)
    Task.objects.update(error_class=kind, error_message="as it was", attempts=1)
    provider.config(deadly="", fail_next=["429"])
    drain(worker.pk, seconds=20)
    found = set(Task.objects.filter(attempts=1).values_list("error_class", "error_message"))
    assert found == {(kind, "as it was")}


def test_an_outage_that_looks_like_one_parks_two_tasks_at_most_each_time_it_comes(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    make_tasks(200, space)
    outages = 8
    for _ in range(outages):
        provider.config(deadly="", fail_next=["cut", "503"] * 20)
        ProviderState.objects.all().delete()
        Task.objects.pending().update(scheduled_at=Now() - timedelta(seconds=1))
        drain(worker.pk, seconds=20)
    assert Task.objects.failed().count() <= 2 * outages
