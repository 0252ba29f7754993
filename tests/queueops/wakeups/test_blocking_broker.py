"""Consumers that wait in the broker for a message."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
from django.conf import settings
from dramatiq import MessageProxy
from dramatiq.errors import ConnectionClosed
from redis import Redis

from queueops.wakeups.blocking_broker import BlockingRedisBroker
from queueops.wakeups.doorbell import QUEUE, ring
from tests.waiting import wait_until

LONG = 20_000  # milliseconds that no test lasts
SOON = 5.0


@pytest.fixture
def broker() -> Iterator[BlockingRedisBroker]:
    """The one of the settings, empty."""
    running = dramatiq.get_broker()
    assert isinstance(running, BlockingRedisBroker)
    running.client.flushdb()
    yield running
    running.client.flushdb()


class InAThread:
    """The next messages of a consumer, asked for in a thread as Dramatiq does."""

    def __init__(self, consumer: Any) -> None:
        self.consumer, self.found = consumer, list[MessageProxy]()
        self.error: BaseException | None = None
        self.rounds = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self.found:
                self.rounds += 1
                message = next(self.consumer)
                if message is not None:
                    self.found.append(message)
        except BaseException as error:
            self.error = error


def commands(client: Redis, name: str) -> int:
    return int(client.info("commandstats").get(f"cmdstat_{name}", {}).get("calls", 0))


def wait_until_blocked(client: Redis, number: int = 1) -> None:
    wait_until(lambda: client.info("clients")["blocked_clients"] == number)


def test_a_waiting_consumer_gets_a_message_when_it_is_sent(broker: BlockingRedisBroker) -> None:
    waiting = InAThread(broker.consume(QUEUE, 1, LONG))
    wait_until_blocked(broker.client)
    ring()
    wait_until(lambda: waiting.found, SOON)
    assert waiting.found[0].queue_name == QUEUE


def test_an_idle_consumer_asks_the_server_twice_per_wait(broker: BlockingRedisBroker) -> None:
    consumer = broker.consume(QUEUE, 1, 50)
    next(consumer)  # the first one also finds out how many values a script may return
    before = commands(broker.client, "evalsha"), commands(broker.client, "blmove")
    assert next(consumer) is None
    assert (commands(broker.client, "evalsha"), commands(broker.client, "blmove")) == (
        before[0] + 1,
        before[1] + 1,
    )


def test_messages_stay_in_order_and_are_taken_once(broker: BlockingRedisBroker) -> None:
    consumer = broker.consume(QUEUE, 3, 50)
    next(consumer)
    sent = [broker.enqueue(_message()).message_id for _ in range(3)]
    assert next(consumer) is not None or next(consumer) is not None
    rest = [next(consumer), next(consumer)]
    assert [each.message_id for each in rest if each] == sent[1:]
    assert broker.client.llen(f"{broker.namespace}:{QUEUE}") == 0


def test_ids_whose_message_is_gone_are_skipped(broker: BlockingRedisBroker) -> None:
    client, key = broker.client, f"{broker.namespace}:{QUEUE}"
    consumer = broker.consume(QUEUE, 1, LONG)
    first = InAThread(consumer)
    wait_until_blocked(client)
    numbers = [b"1", b"2", b"3"]
    client.rpush(key, *numbers)  # what a fetch would take has no message: it is skipped, one after the other
    wait_until(lambda: client.llen(key) == 0, SOON)
    assert first.found == []
    acknowledgements = f"{broker.namespace}:__acks__.{broker.broker_id}.{QUEUE}"
    assert client.smembers(acknowledgements) == set(numbers)
    ring()
    wait_until(lambda: first.found, SOON)


def test_a_consumer_without_room_does_not_ask_the_server(broker: BlockingRedisBroker) -> None:
    consumer = broker.consume(QUEUE, 1, 50)
    ring()
    ring()
    first = next(consumer)
    assert first is not None
    before = commands(broker.client, "blmove")
    assert next(consumer) is None
    assert commands(broker.client, "blmove") == before


def test_an_acknowledgement_makes_room_at_once(broker: BlockingRedisBroker) -> None:
    consumer = broker.consume(QUEUE, 1, LONG)
    ring()
    ring()
    first = next(consumer)
    assert first is not None
    waiting = InAThread(consumer)
    wait_until(lambda: waiting.rounds > 0)
    consumer.ack(first)
    wait_until(lambda: waiting.found, SOON)


def test_of_two_waiting_consumers_one_gets_the_message_and_the_other_waits_on(
    broker: BlockingRedisBroker,
) -> None:
    both = [InAThread(broker.consume(QUEUE, 1, LONG)) for _ in range(2)]
    wait_until_blocked(broker.client, 2)
    ring()
    wait_until(lambda: both[0].found or both[1].found, SOON)
    wait_until_blocked(broker.client)
    assert sum(each.rounds for each in both) < 10
    ring()
    wait_until(lambda: both[0].found and both[1].found, SOON)


def test_a_server_that_refuses_to_wait_is_asked_at_intervals(broker: BlockingRedisBroker) -> None:
    user = ("acl", "setuser", "weak", "on", ">secret", "~*", "&*", "+@all", "-blmove")
    broker.client.execute_command(*user)
    try:
        weak = Redis.from_url(settings.REDIS_URL, username="weak", password="secret")
        refused: Any = _broker_of(client=weak, namespace=broker.namespace)
        waiting = InAThread(refused.consume(QUEUE, 1, LONG))
        wait_until(lambda: waiting.rounds > 1)
        ring()
        wait_until(lambda: waiting.found, SOON)
    finally:
        broker.client.execute_command("acl", "deluser", "weak")


def test_a_lost_connection_ends_the_consumer_as_dramatiq_expects(broker: BlockingRedisBroker) -> None:
    waiting = InAThread(broker.consume(QUEUE, 1, LONG))
    wait_until_blocked(broker.client)
    for _ in range(2):  # the first is repaired by the client
        wait_until_blocked(broker.client)
        broker.client.client_kill_filter(_type="normal", skipme=True)
    wait_until(lambda: waiting.error is not None or waiting.found, SOON)
    assert isinstance(waiting.error, ConnectionClosed)


def test_messages_that_somebody_delayed_are_not_waited_for(broker: BlockingRedisBroker) -> None:
    before = commands(broker.client, "blmove")
    assert next(broker.consume(f"{QUEUE}.DQ", 1, 1)) is None
    assert commands(broker.client, "blmove") == before


def test_an_idle_workers_threads_stop_within_a_wait(broker: BlockingRedisBroker) -> None:
    plain: Any = _broker_of(client=broker.client, namespace="plain", middleware=[])
    plain.declare_queue(QUEUE)
    worker = dramatiq.Worker(plain, worker_threads=1, worker_timeout=100)
    worker.start()
    wait_until_blocked(broker.client)
    began = time.monotonic()
    worker.stop()
    assert time.monotonic() - began < SOON


def _broker_of(**options: Any) -> Any:
    made: Any = BlockingRedisBroker
    return made(**options)


def _message() -> dramatiq.Message[Any]:
    return dramatiq.Message(queue_name=QUEUE, actor_name="embed_due", args=(), kwargs={"v": 1}, options={})
