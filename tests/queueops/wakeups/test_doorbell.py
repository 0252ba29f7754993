"""Workers are woken after the commit, once for a burst, and no save waits for the broker."""

import itertools
import threading
import time
from collections.abc import Iterator

import dramatiq
import pytest
from django.db import transaction
from dramatiq.brokers.redis import RedisBroker

from queueops.wakeups import doorbell
from tests.queueops.factories import make_article, make_space
from tests.waiting import wait_until


def waiting() -> int:
    """How many wake-ups the real broker holds."""
    broker = dramatiq.get_broker()
    assert isinstance(broker, RedisBroker)
    return broker.client.llen(f"vectorpress:{doorbell.QUEUE}")


@pytest.fixture(autouse=True)
def empty_queue() -> Iterator[None]:
    broker = dramatiq.get_broker()
    assert isinstance(broker, RedisBroker)
    wait_until(lambda: not doorbell._doorbell.is_waiting, what="the rings of an earlier test")
    broker.client.flushdb()
    doorbell._doorbell = doorbell.Doorbell(doorbell.ring)
    yield
    broker.client.flushdb()


@pytest.fixture
def sent() -> list[float]:
    """The times at which a bell has rung."""
    return []


@pytest.fixture
def bell(sent: list[float]) -> doorbell.Doorbell:
    return doorbell.Doorbell(lambda: sent.append(time.monotonic()), quiet_seconds=0.1, at_most=0.2)


def rung(bell: doorbell.Doorbell, sent: list[float]) -> int:
    """How often it has rung after one more call."""
    bell.ring()
    return len(sent)


def test_a_burst_rings_at_once_and_once_more_at_its_end(bell: doorbell.Doorbell, sent: list[float]) -> None:
    bell.ring()
    wait_until(lambda: sent, what="the first ring of the burst")
    for _ in range(50):
        bell.ring()
    wait_until(lambda: not bell.is_waiting, what="the last ring of the burst")
    assert len(sent) == 2


def test_the_longer_a_burst_lasts_the_longer_it_is_quiet_between_rings(
    bell: doorbell.Doorbell, sent: list[float]
) -> None:
    wait_until(lambda: rung(bell, sent) >= 5)
    pauses = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert all(pause >= least for pause, least in zip(pauses, [0.1, 0.2, 0.2, 0.2], strict=True))


def test_after_a_rest_the_bell_rings_at_once_again(bell: doorbell.Doorbell, sent: list[float]) -> None:
    wait_until(lambda: rung(bell, sent) >= 3)
    wait_until(lambda: not bell.is_waiting and time.monotonic() > sent[-1] + bell.quiet_seconds)
    before = len(sent)
    bell.ring()
    wait_until(lambda: len(sent) == before + 1)
    assert bell.quiet_seconds == 0.1


def test_a_ring_does_not_wait_for_a_slow_broker() -> None:
    may_answer, asked = threading.Event(), threading.Semaphore(0)

    def send() -> None:
        asked.release()
        may_answer.wait(30)

    bell = doorbell.Doorbell(send, quiet_seconds=0.01)
    bell.ring()
    assert asked.acquire(timeout=10)
    bell.ring()  # neither waits for the first one nor sends another beside it
    assert bell.is_waiting
    assert not asked.acquire(timeout=0.1)
    may_answer.set()
    assert asked.acquire(timeout=10)
    wait_until(lambda: not bell.is_waiting)


@pytest.mark.django_db(transaction=True)
def test_a_save_rings_after_its_commit_and_not_before() -> None:
    make_space()
    with transaction.atomic():
        make_article()
        assert waiting() == 0
    wait_until(lambda: waiting() >= 1, what="the wake-up")


@pytest.mark.django_db(transaction=True)
def test_a_save_that_is_rolled_back_rings_for_nobody() -> None:
    make_space()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        make_article()
        _ = 1 / 0
    assert waiting() == 0


def test_a_wake_up_carries_nothing_but_its_version() -> None:
    doorbell.ring()
    broker = dramatiq.get_broker()
    assert isinstance(broker, RedisBroker)
    (raw,) = broker.client.hgetall(f"vectorpress:{doorbell.QUEUE}.msgs").values()
    assert isinstance(raw, bytes)
    assert dramatiq.Message.decode(raw).kwargs == {"v": 1}
