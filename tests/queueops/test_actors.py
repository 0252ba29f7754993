"""What a wake-up does: it works off what is due, and rings where something is left."""

from collections.abc import Iterator

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker

from embeddings.models import Space
from embeddings.storage import ann_index
from queueops import actors
from queueops.models import Task, Worker
from queueops.wakeups import broker_keys, doorbell
from queueops.worker.housekeeper import housekeeper
from tests.queueops.factories import make_tasks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def broker() -> Iterator[RedisBroker]:
    broker = dramatiq.get_broker()
    assert isinstance(broker, RedisBroker)
    broker.client.flushdb()
    yield broker
    broker.client.flushdb()
    housekeeper.leave()


def rung(broker: RedisBroker) -> int:
    return int(broker.client.llen(broker_keys.name_of(doorbell.QUEUE)))


def test_due_tasks_are_processed_in_the_processs_name_without_a_wake_up(
    space: Space, broker: RedisBroker
) -> None:
    make_tasks(3, space)
    actors.embed_due.fn()
    assert set(Task.objects.values_list("status", "claimed_by")) == {
        ("completed", f"worker {housekeeper.worker_id}")
    }
    assert Worker.objects.get().tasks_done == 3
    assert rung(broker) == 0


def test_a_slice_that_ends_before_the_work_rings_once_more(
    space: Space, broker: RedisBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors, "_SLICE_SECONDS", 0.0)
    make_tasks(3, space)
    actors.embed_due.fn()
    assert rung(broker) == 1
    assert Task.objects.pending().count() == 3


@pytest.mark.parametrize("version", [1, 2, 10**9])
def test_a_message_of_any_version_means_that_there_may_be_work(
    space: Space, broker: RedisBroker, version: int
) -> None:
    make_tasks(1, space)
    actors.embed_due.fn(v=version)
    assert Task.objects.get().status == "completed"


def test_a_wake_up_without_work_does_nothing(space: Space, broker: RedisBroker) -> None:
    actors.embed_due.fn()
    assert rung(broker) == 0


def test_the_index_of_a_space_that_has_grown_is_built_and_that_of_a_small_one_is_not(
    space: Space, broker: RedisBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ann_index, "_REMEMBER_SECONDS", 0)
    make_tasks(3, space)
    actors.embed_due.fn()
    actors.build_indexes.fn()
    assert not ann_index.stands(space)
    monkeypatch.setattr(ann_index, "WANTED_FROM_ROWS", 3)
    actors.build_indexes.fn()
    assert ann_index.stands(space)
    actors.build_indexes.fn(v=1)
    assert ann_index.stands(space)
    ann_index.drop(space)
