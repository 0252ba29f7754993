"""Short forms of the drills: worker threads of this process, behind proxies that do harm while they work."""

import uuid
from collections.abc import Iterator

import dramatiq
import pytest
from django.db import connection
from dramatiq.brokers.redis import RedisBroker

from drills.proxy import PASS, Proxy, Rules
from embeddings.models import ArticleEmbedding
from queueops import actors, doorbell, invariants
from queueops.models import Task
from tests.providers import FakeProvider
from tests.queueops.conftest import NO_FAULTS
from tests.queueops.making import make_article, make_space, make_tasks
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("flow")]
TASKS = 60


@pytest.fixture(scope="module")
def provider():
    with FakeProvider(dimensions=8) as process:
        yield process


@pytest.fixture
def space(provider, settings):
    provider.config(**NO_FAULTS | {"latency_ms": 50})
    settings.OPENAI_BASE_URL = provider.url + "/v1"
    settings.EMBEDDING_BATCH_SIZE = 5
    settings.EMBEDDING_WORKER_INTERVAL = 200
    settings.EMBEDDING_WORKER_TIMEOUT = 2_000
    return make_space()


@pytest.fixture
def to_database() -> Iterator[Proxy]:
    """Stands between the database and every thread but the test's own, which is connected already."""
    connection.ensure_connection()
    host, port = connection.connection.info.host, connection.connection.info.port
    address = connection.settings_dict
    before = {name: address[name] for name in ("HOST", "PORT", "OPTIONS")}
    options = {name: value for name, value in before["OPTIONS"].items() if name != "host"}
    with Proxy(f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)) as proxy:
        address |= {"HOST": "127.0.0.1", "PORT": str(proxy.port), "OPTIONS": options}
        yield proxy
        address |= before


@pytest.fixture
def workers(space, to_database) -> Iterator[dramatiq.Worker]:
    broker = dramatiq.get_broker()
    assert isinstance(broker, RedisBroker)
    broker.client.flushdb()
    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=50)
    worker.start()
    yield worker
    worker.stop()
    broker.client.flushdb()


def completed() -> int:
    return Task.objects.filter(status="completed").count()


def begin(space) -> None:
    """A backlog of which a part is done."""
    make_tasks(TASKS, space)
    doorbell.ring()
    wait_until(lambda: completed() >= 5, what="a part of the backlog")


def end() -> None:
    """Everything is embedded once, and the invariants hold."""
    wait_until(lambda: completed() == TASKS, seconds=30, what="the whole backlog")
    assert ArticleEmbedding.objects.count() == TASKS
    assert not [str(breach) for breach in invariants.broken(at_rest=True)]


def test_a_broker_that_forgets_everything_at_full_load_loses_nothing(workers, space):
    begin(space)
    workers.broker.client.flushdb()
    end()


def test_connections_that_are_cut_at_full_load_lose_nothing(workers, space, to_database):
    begin(space)
    wait_until(to_database.cut)  # between two statements nobody may hold a connection
    end()


def test_answers_of_the_database_that_are_lost_lose_nothing_and_double_nothing(workers, space, to_database):
    begin(space)
    to_database.rules = Rules(swallow=True)
    wait_until(lambda: to_database.swallowed)
    to_database.rules = PASS
    to_database.cut()
    end()


def test_foreign_messages_end_no_thread_and_hold_up_no_work(workers, caplog):
    threads = [*workers.workers, *workers.consumers.values()]
    for body in [
        foreign("elsewhere"),
        foreign("elsewhere"),
        foreign(doorbell.QUEUE, "of_tomorrow"),
        b"not JSON",
        b"{}",
    ]:
        number = str(uuid.uuid4())
        workers.broker.client.hset("vectorpress:vectorpress.embed.msgs", number, body)
        workers.broker.client.rpush("vectorpress:vectorpress.embed", number)
        wait_until(lambda: workers.broker.client.llen("vectorpress:vectorpress.embed") == 0)
    make_article()
    wait_until(lambda: completed() == 1)
    wait_until(lambda: workers.work_queue.unfinished_tasks == 0, what="each message to be worked on")
    assert all(thread.is_alive() for thread in threads)
    assert "unexpected error" not in caplog.text


def foreign(queue: str, actor: str = actors.embed_due.actor_name) -> bytes:
    options = {"redis_message_id": str(uuid.uuid4())}
    return dramatiq.Message(queue, actor, (), {}, options).encode()
