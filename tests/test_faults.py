"""Short forms of the drills: worker threads of this process, behind proxies that do harm while they work."""

import uuid
from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from dramatiq.brokers.redis import RedisBroker
from pytest_django import Settings

from drills.proxy import PASS, Proxy, Rules
from embeddings.models import ArticleEmbedding, Space
from queueops import actors
from queueops.engine import storage_probe
from queueops.models import AuditLog, Task, Worker
from queueops.monitoring import health, invariant_check, snapshot
from queueops.wakeups import doorbell
from tests.providers import FakeProvider
from tests.queueops.conftest import NO_FAULTS
from tests.queueops.factories import make_article, make_space, make_tasks
from tests.queueops.refusing_database import refusing, take_again
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("flow"), pytest.mark.slow]
TASKS = 60
CUT_COPY = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
  AND query ~ '^\\s*COPY article_embeddings'
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(dimensions=8) as process:
        yield process


@pytest.fixture
def space(provider: FakeProvider, settings: Settings) -> Space:
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


def broker_client() -> Any:
    broker = dramatiq.get_broker()
    assert isinstance(broker, RedisBroker)
    return broker.client


@pytest.fixture
def workers(space: Space, to_database: Proxy) -> Iterator[dramatiq.Worker]:
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


def begin(space: Space) -> None:
    """A backlog of which a part is done."""
    with transaction.atomic():  # else the sweep may find the articles first
        make_tasks(TASKS, space)
    doorbell.ring()
    wait_until(lambda: completed() >= 5, what="a part of the backlog")


def end() -> None:
    """Everything is embedded once, and the invariants hold."""
    wait_until(lambda: completed() == TASKS, seconds=30, what="the whole backlog")
    assert ArticleEmbedding.objects.count() == TASKS
    assert not [str(breach) for breach in invariant_check.broken(at_rest=True)]


def test_a_broker_that_forgets_everything_at_full_load_loses_nothing(
    workers: dramatiq.Worker, space: Space
) -> None:
    begin(space)
    broker_client().flushdb()
    end()


def test_connections_that_are_cut_at_full_load_lose_nothing(
    workers: dramatiq.Worker, space: Space, to_database: Proxy
) -> None:
    begin(space)
    wait_until(to_database.cut)  # between two statements nobody may hold a connection
    end()


def test_answers_of_the_database_that_are_lost_lose_nothing_and_double_nothing(
    workers: dramatiq.Worker, space: Space, to_database: Proxy
) -> None:
    begin(space)
    to_database.rules = Rules(swallow=True)
    wait_until(lambda: to_database.swallowed)
    to_database.rules = PASS
    to_database.cut()
    end()


def uncharged() -> None:
    """No attempt of any task was counted but the one that embedded it, and no lease ended."""
    assert set(Task.objects.values_list("attempts", flat=True)) == {1}
    assert not AuditLog.objects.filter(category="sweep").exists()


@pytest.mark.parametrize("sqlstate", ["53100", "P0001"])
def test_a_table_that_has_no_room_for_a_while_charges_and_wastes_no_text(
    workers: dramatiq.Worker, space: Space, provider: FakeProvider, sqlstate: str
) -> None:
    begin(space)
    with refusing(sqlstate):
        wait_until(lambda: storage_probe.brake.is_on)
        wait_until(lambda: Worker.objects.exclude(refusal="").exists(), what="the worker's row to say why")
        assert sqlstate in health.judge(snapshot.take()).sentence
    end()
    uncharged()
    assert provider.stats()["texts"] == TASKS


def test_a_right_that_was_lost_for_a_while_charges_no_text(workers: dramatiq.Worker, space: Space) -> None:
    begin(space)
    execute("REVOKE INSERT ON article_embeddings FROM CURRENT_USER")
    wait_until(lambda: storage_probe.brake.is_on)
    execute("GRANT INSERT ON article_embeddings TO CURRENT_USER")
    end()
    uncharged()


def test_a_database_that_is_read_only_past_all_leases_charges_no_text(
    workers: dramatiq.Worker, space: Space, to_database: Proxy
) -> None:
    begin(space)
    execute("SET default_transaction_read_only = off")  # of this session
    name = connection.settings_dict["NAME"]
    execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    try:
        wait_until(lambda: to_database.cut() and storage_probe.brake.is_on)
        wait_until(lambda: not Task.objects.filter(lease_expires_at__gt=Now()).exists(), what="leases to end")
    finally:
        execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        to_database.cut()
    end()
    uncharged()


def test_sessions_that_end_in_the_midst_of_copy_charge_and_waste_no_text(
    workers: dramatiq.Worker, space: Space, provider: FakeProvider
) -> None:
    execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$;"
        " CREATE TRIGGER slow BEFORE INSERT ON article_embeddings FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    try:
        begin(space)
        wait_until(lambda: execute(CUT_COPY), what="a session in the midst of COPY")
        end()
    finally:
        take_again()
    uncharged()
    assert provider.stats()["texts"] == TASKS


def test_a_trigger_that_refuses_one_text_holds_up_no_other(workers: dramatiq.Worker, space: Space) -> None:
    begin(space)
    with transaction.atomic():
        (bad,) = make_tasks(1, space, priority="high")
    with refusing("P0001", f"NEW.article_id = {bad.article_id}"):
        doorbell.ring()
        wait_until(lambda: completed() == TASKS, seconds=30, what="all others")
        wait_until(lambda: Task.objects.filter(pk=bad.pk, error_class="storage_refused", attempts=1))


def execute(statement: str) -> int:
    """The first number of the answer, if there is one."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0]) if cursor.description else 0


def test_foreign_messages_end_no_thread_and_hold_up_no_work(
    workers: dramatiq.Worker, caplog: pytest.LogCaptureFixture
) -> None:
    threads = [*workers.workers, *workers.consumers.values()]
    for body in [
        foreign("elsewhere"),
        foreign("elsewhere"),
        foreign(doorbell.QUEUE, "of_tomorrow"),
        b"not JSON",
        b"{}",
    ]:
        number = str(uuid.uuid4())
        broker_client().hset("vectorpress:vectorpress.embed.msgs", number, body)
        broker_client().rpush("vectorpress:vectorpress.embed", number)
        wait_until(lambda: broker_client().llen("vectorpress:vectorpress.embed") == 0)
    make_article()
    wait_until(lambda: completed() == 1)
    wait_until(lambda: workers.work_queue.unfinished_tasks == 0, what="each message to be worked on")
    assert all(thread.is_alive() for thread in threads)
    assert "unexpected error" not in caplog.text


def foreign(queue: str, actor: str = actors.embed_due.actor_name) -> bytes:
    options = {"redis_message_id": str(uuid.uuid4())}
    return dramatiq.Message(queue, actor, (), {}, options).encode()
