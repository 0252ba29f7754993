"""After an outage work resumes by itself: real worker threads on the real broker, without a sweep."""

from collections.abc import Iterator

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker
from pytest_django import Settings

from embeddings.models import Space
from queueops import actors
from queueops.admission import circuit_breaker
from queueops.models import Metric, ProviderState, Task
from queueops.wakeups import doorbell
from tests.providers import FakeProvider
from tests.queueops.connection_cutter import cut_off
from tests.queueops.factories import make_tasks
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def workers(space: Space, settings: Settings) -> Iterator[dramatiq.Worker]:
    """Dramatiq's own worker threads; only a wake-up makes them look."""
    settings.EMBEDDING_WORKER_INTERVAL = 3_600_000
    settings.EMBEDDING_BATCH_SIZE = 10
    broker = dramatiq.get_broker()
    assert isinstance(broker, RedisBroker)
    assert actors.embed_due.queue_name == doorbell.QUEUE
    broker.client.flushdb()
    worker = dramatiq.Worker(broker, worker_threads=3, worker_timeout=100)
    worker.start()
    yield worker
    worker.stop()
    broker.client.flushdb()


def test_within_one_interval_of_the_providers_return_its_backlog_flows(
    workers: dramatiq.Worker, space: Space, provider: FakeProvider
) -> None:
    make_tasks(200, space)
    provider.config(fail_next=["503"] * 500, retry_after="")
    doorbell.ring()
    wait_until(lambda: ProviderState.objects.filter(openings__gte=2).exists(), what="a canary that failed")
    asked = provider.stats()["requests"]
    assert asked <= circuit_breaker.FAILURES_TO_OPEN + 2 * 3  # one more batch a thread, and the canary
    Metric.objects.all().delete()
    provider.config(fail_next=[], retry_after="1")
    wait_until(lambda: Task.objects.filter(status="completed").count() >= 170, seconds=20, what="the backlog")
    sizes = Metric.objects.filter(name="batch_tasks").order_by("id").values_list("value", flat=True)
    assert sizes[0] == 1
    assert set(Task.objects.filter(status="completed").values_list("attempts", flat=True)) == {1}
    assert not Task.objects.filter(status="failed").exists()


def test_a_worker_that_finds_no_database_looks_again_by_itself(
    workers: dramatiq.Worker, space: Space
) -> None:
    make_tasks(20, space)
    cut_off(doorbell.ring, "LOCK TABLE embedding_spaces")
    wait_until(lambda: Task.objects.filter(status="completed").count() == 20, what="the tasks")


def test_a_retry_runs_at_its_time(
    workers: dramatiq.Worker, space: Space, provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_RETRY_BACKOFF_BASE = 200
    make_tasks(5, space)
    provider.config(fail_next=["500"] * 6)  # two batches, a harmless text after each, and two forms of it
    doorbell.ring()
    wait_until(lambda: Task.objects.filter(status="completed", attempts=3).count() == 5, what="the third try")
