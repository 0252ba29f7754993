"""While the broker accepts no wake-ups, the process that sweeps works off due tasks itself."""

import threading
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from embeddings.models import Space
from queueops.models import Task
from queueops.worker import brokerless
from queueops.worker.brokerless import BrokerlessWorker
from queueops.worker.housekeeper import Housekeeper
from tests.providers import FakeProvider
from tests.queueops.factories import make_tasks, make_worker
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
NOBODY = "redis://127.0.0.1:9/0"


@pytest.fixture
def pulse() -> Iterator[Housekeeper]:
    """A housekeeper run by hand; its brokerless threads have ended at the end."""
    pulse = Housekeeper()
    yield pulse
    wait_until(lambda: not brokerless_threads())


def brokerless_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("brokerless")]


def test_a_beat_without_a_broker_has_due_tasks_worked_off(
    pulse: Housekeeper, space: Space, settings: Settings
) -> None:
    settings.REDIS_URL = NOBODY
    make_tasks(30, space)
    pulse._once(0)
    wait_until(lambda: Task.objects.filter(status="completed").count() == 30, what="the brokerless threads")


def test_with_a_broker_it_rings_and_nobody_stands_in(pulse: Housekeeper, space: Space) -> None:
    make_tasks(3, space)
    pulse._once(0)
    assert not brokerless_threads()
    assert Task.objects.pending().count() == 3


def test_without_work_nobody_stands_in(pulse: Housekeeper, space: Space, settings: Settings) -> None:
    settings.REDIS_URL = NOBODY
    pulse._once(0)
    assert not brokerless_threads()


def test_a_process_that_stops_claims_nothing_more(space: Space, settings: Settings) -> None:
    settings.REDIS_URL = NOBODY
    make_tasks(3, space)
    BrokerlessWorker(lambda: True).work(make_worker().pk)
    wait_until(lambda: not brokerless_threads())
    assert Task.objects.pending().count() == 3


def test_it_ends_after_its_slice_once_the_broker_takes_rings_again(
    space: Space, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMBEDDING_BATCH_SIZE = 1
    monkeypatch.setattr(brokerless, "_SLICE_SECONDS", 0.001)
    make_tasks(40, space)
    BrokerlessWorker(lambda: False).work(make_worker().pk)
    wait_until(lambda: not brokerless_threads())
    assert Task.objects.pending().exists()


def test_two_beats_have_no_more_threads_than_one(
    pulse: Housekeeper, space: Space, provider: FakeProvider, settings: Settings
) -> None:
    settings.REDIS_URL = NOBODY
    provider.config(latency_ms=300)
    make_tasks(2, space)
    pulse._once(0)
    make_tasks(2, space, priority="high")
    pulse._once(0)
    assert len(brokerless_threads()) <= settings.EMBEDDING_WORKER_THREADS
