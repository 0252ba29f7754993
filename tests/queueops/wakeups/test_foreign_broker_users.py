"""Another program that uses Dramatiq on the same database: neither takes the other's messages, and it is said."""

from collections.abc import Iterator

import dramatiq
import pytest
import structlog
from dramatiq.brokers.redis import RedisBroker
from pytest_django import Settings

from embeddings.models import Space
from queueops import actors
from queueops.base import shutdown
from queueops.models import Task
from queueops.operate.checks import broker as check
from queueops.operate.checks.finding import CheckResult
from queueops.wakeups import broker_health, doorbell, foreign_broker_users
from queueops.worker.housekeeper import Housekeeper
from tests.queueops.factories import make_tasks
from tests.waiting import wait_until

MESSAGES = 120


@pytest.fixture
def ours() -> Iterator[RedisBroker]:
    """Our own broker, empty."""
    running = dramatiq.get_broker()
    assert isinstance(running, RedisBroker)
    assert actors.embed_due.queue_name == doorbell.QUEUE
    running.client.flushdb()
    yield running
    running.client.flushdb()


@pytest.fixture
def theirs(ours: RedisBroker) -> RedisBroker:
    """Dramatiq as it comes, on the same database, with the queue that our earlier releases had as well."""
    broker = RedisBroker(client=ours.client, middleware=[])
    broker.declare_queue("embed")
    return broker


def send(to: RedisBroker, actor: str = "strangers", queue: str = "embed", **kwargs: object) -> None:
    to.enqueue(dramatiq.Message(queue, actor, (), kwargs, {}))


@pytest.mark.django_db(transaction=True)
def test_our_consumers_take_no_message_of_a_strangers_queue(
    ours: RedisBroker, theirs: RedisBroker, space: Space
) -> None:
    for number in range(MESSAGES):
        send(theirs, number=number)
    make_tasks(20, space)
    doorbell.ring()
    worker = dramatiq.Worker(ours, worker_threads=2, worker_timeout=50)
    worker.start()
    try:
        wait_until(lambda: Task.objects.filter(status="completed").count() == 20, what="our tasks")
    finally:
        worker.stop()
    assert theirs.client.llen("dramatiq:embed") == MESSAGES
    assert theirs.client.hlen("dramatiq:embed.msgs") == MESSAGES
    assert theirs.client.exists("dramatiq:embed.XQ") == 0


def test_alone_nobody_is_reported(ours: RedisBroker) -> None:
    doorbell.ring()
    ours.do_fetch(doorbell.QUEUE, 1)
    assert foreign_broker_users.look(ours.client) == []
    assert not [each for each in check.check() if each.check == "broker database"]


def test_a_strangers_consumers_and_queues_are_named_with_what_to_do(
    ours: RedisBroker, theirs: RedisBroker
) -> None:
    send(theirs)
    (found,) = [each for each in check.check() if each.check == "broker database"]
    assert found.verdict is CheckResult.WARN
    assert found.detail == (
        "is used by another Dramatiq program too: dramatiq (1 consumers), the queue dramatiq:embed (1 messages)"
    )
    assert "REDIS_URL" in found.fix


def test_a_queue_beside_ours_in_our_namespace_is_a_strangers(ours: RedisBroker) -> None:
    ours.do_enqueue("theirs", "1", b"{}")
    assert foreign_broker_users.look(ours.client) == ["the queue vectorpress:theirs (1 messages)"]


def test_consumers_that_have_been_silent_for_long_are_not_reported(ours: RedisBroker) -> None:
    ours.client.zadd("dramatiq:__heartbeats__", {"one": 1})
    assert foreign_broker_users.look(ours.client) == []


def test_a_long_name_is_cut_and_many_are_counted(ours: RedisBroker) -> None:
    for number in range(8):
        ours.client.hset(f"{'x' * 500}{number}:q.msgs", "1", "{}")
    said = foreign_broker_users.sentence(foreign_broker_users.look(ours.client))
    assert len(said) < 600
    assert said.endswith("and 3 more")


def test_a_worker_says_so_once_at_its_start(
    ours: RedisBroker, theirs: RedisBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(theirs)
    housekeeper = Housekeeper()
    monkeypatch.setattr(housekeeper, "_once", lambda _: shutdown.request())
    with structlog.testing.capture_logs() as said:
        housekeeper._run()
    (line,) = said
    assert line["event"].startswith("the broker's database is used by another Dramatiq program too: dramatiq")
    assert "REDIS_URL" in line["fix"]


def test_wake_ups_of_earlier_releases_are_removed_and_a_strangers_messages_are_not(
    ours: RedisBroker, theirs: RedisBroker
) -> None:
    for actor in (doorbell.EMBED_DUE, doorbell.BUILD_INDEXES, "strangers"):
        for _ in range(3):
            send(theirs, actor, v=1)
    theirs.do_fetch("embed", 2)  # a worker of an earlier release that has them, and one that was put off
    (number, *_) = theirs.client.lrange("dramatiq:embed", 0, 0)
    theirs.do_fetch("embed", 1)
    theirs.do_nack("embed", number)
    theirs.do_enqueue("embed", "odd", b"not JSON")
    assert foreign_broker_users.forget_old_names(ours.client) == 6
    assert foreign_broker_users.forget_old_names(ours.client) == 0
    left = theirs.client.hgetall("dramatiq:embed.msgs").values()
    assert sum(b'"strangers"' in body for body in left) == 3
    assert len(left) == 4
    assert theirs.client.llen("dramatiq:embed") == 4
    assert theirs.client.exists("dramatiq:embed.XQ.msgs") == 0


def test_a_broker_that_does_not_answer_has_no_strangers(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert broker_health.strangers() == ""
