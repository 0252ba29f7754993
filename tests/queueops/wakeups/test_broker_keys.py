"""Keys of a wrong type among Dramatiq's: work continues, and they are removed."""

from collections.abc import Iterator

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker

from embeddings.models import Space
from queueops import actors
from queueops.models import Task
from queueops.monitoring import health, snapshot
from queueops.wakeups import broker_health
from queueops.wakeups.broker_keys import of_wrong_type
from queueops.wakeups.doorbell import QUEUE, ring
from queueops.worker.housekeeper import Housekeeper
from tests.queueops.factories import make_tasks
from tests.queueops.worker.test_brokerless import brokerless_threads
from tests.waiting import wait_until

SAYS = "holds keys of a wrong type, which the workers remove"
OWN = "own"
NAMES = [
    "__heartbeats__",
    QUEUE,
    f"{QUEUE}.msgs",
    f"{QUEUE}.DQ",
    f"{QUEUE}.DQ.msgs",
    f"{QUEUE}.XQ",
    f"{QUEUE}.XQ.msgs",
    f"__acks__.{OWN}.{QUEUE}",
    f"__acks__.{OWN}.{QUEUE}.DQ",
]


@pytest.fixture
def queue() -> Iterator[RedisBroker]:
    """An empty broker."""
    running = dramatiq.get_broker()
    assert isinstance(running, RedisBroker)
    running.client.flushdb()
    yield running
    running.client.flushdb()


@pytest.fixture
def workers(queue: RedisBroker, space: Space, monkeypatch: pytest.MonkeyPatch) -> Iterator[dramatiq.Worker]:
    """Dramatiq's own consumers on it; only they and a test's housekeeper work."""
    assert actors.embed_due.queue_name == QUEUE
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.1)
    worker = dramatiq.Worker(queue, worker_threads=2, worker_timeout=100)
    worker.start()
    yield worker
    worker.stop()


def forge(queue: RedisBroker, name: str) -> str:
    key = f"{queue.namespace}:{name.replace(OWN, queue.broker_id)}"
    queue.client.set(key, "x")
    return key


def keys_of(queue: RedisBroker, pattern: str) -> list[bytes]:
    keys: list[bytes] = queue.client.keys(pattern)  # type: ignore[assignment]
    return keys


def test_each_key_that_dramatiq_makes_is_looked_at(queue: RedisBroker) -> None:
    for name in (QUEUE, f"{QUEUE}.DQ"):
        for number in ("1", "2"):
            queue.do_enqueue(name, number, b"{}")
        queue.do_fetch(name, 1)
    queue.do_nack(QUEUE, "1")
    queue.do_fetch(QUEUE, 1)
    queue.do_enqueue(QUEUE, "3", b"{}")
    queue.do_enqueue(f"{QUEUE}.DQ", "3", b"{}")
    made = {key.decode() for key in keys_of(queue, f"{queue.namespace}:*")}
    assert made == {f"{queue.namespace}:{name.replace(OWN, queue.broker_id)}" for name in NAMES}
    assert of_wrong_type(queue.client) == []


@pytest.mark.parametrize("name", NAMES)
def test_one_of_a_wrong_type_is_said_and_removed_and_nothing_else_is(queue: RedisBroker, name: str) -> None:
    ring()
    kept = {key for key in keys_of(queue, "*") if not key.endswith(f":{name}".encode())}
    key = forge(queue, name)
    assert broker_health.problem() == SAYS
    assert broker_health.repair() == [key]
    assert (broker_health.problem(), broker_health.repair()) == ("", [])
    assert kept <= set(queue.client.keys("*"))


def test_consumers_of_other_processes_are_looked_at_too(queue: RedisBroker) -> None:
    queue.client.zadd(f"{queue.namespace}:__heartbeats__", {"another": 1})
    queue.client.set(f"{queue.namespace}:__acks__.another.{QUEUE}", "x")
    assert broker_health.repair() == [f"{queue.namespace}:__acks__.another.{QUEUE}"]


@pytest.mark.django_db(transaction=True)
def test_health_says_so_while_it_lasts(queue: RedisBroker, space: Space) -> None:
    forge(queue, "__heartbeats__")
    judged = health.judge(snapshot.take())
    assert judged.condition == health.Condition.DEGRADED
    assert f"The broker {SAYS}; the sweep finds new work, some seconds later." in judged.reasons
    broker_health.repair()
    assert SAYS not in "".join(health.judge(snapshot.take()).reasons)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", NAMES)
def test_after_a_beat_consumers_take_rings_again(
    workers: dramatiq.Worker, queue: RedisBroker, space: Space, name: str
) -> None:
    forge(queue, name)
    Housekeeper()._once(3_600)  # no sweep: neither its wake-up nor the brokerless worker helps
    make_tasks(3, space)
    ring()
    wait_until(lambda: Task.objects.filter(status="completed").count() == 3, what="the consumers")


@pytest.mark.django_db(transaction=True)
def test_tasks_are_worked_off_though_the_keys_come_back_at_once(
    queue: RedisBroker, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tasks(3, space)
    forge(queue, "__heartbeats__")
    monkeypatch.setattr("queueops.worker.housekeeper.doorbell.ring", lambda: forge(queue, "__heartbeats__"))
    Housekeeper()._once(0)
    wait_until(lambda: Task.objects.filter(status="completed").count() == 3, what="the brokerless threads")
    wait_until(lambda: not brokerless_threads())
