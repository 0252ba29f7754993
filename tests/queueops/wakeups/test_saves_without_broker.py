"""Whatever the broker does, a save returns 201 at once, its task is pending, and health reports the problem."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
from django.conf import settings as django_settings
from django.test import Client
from dramatiq.brokers.redis import RedisBroker
from pytest_django import Settings
from redis import ConnectionPool, Redis

from config.stack.valkey import ValkeyServer
from drills.proxy import PASS, Proxy, Rules
from queueops.models import Task
from queueops.wakeups import broker_health, doorbell
from tests.queueops.factories import make_space
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]
# A save takes some milliseconds; a broker's time-out would be seconds, one for each save.
SAVES, SECONDS = 10, 8.0


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A server of its own, since changes to it would break other tests."""
    folder = tmp_path_factory.mktemp("valkey")
    folder.chmod(0o711)
    server = ValkeyServer(folder / "data", folder / "s", append_only=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def proxy(valkey: ValkeyServer, settings: Settings) -> Iterator[Proxy]:
    """Where this process finds its broker, with the time-outs that the settings give it."""
    before = dramatiq.get_broker()
    given: Any = django_settings.DRAMATIQ_BROKER["OPTIONS"]
    options = dict(given)
    timeouts = {
        name: value
        for name, value in options.pop("connection_pool").connection_kwargs.items()
        if name in ("socket_timeout", "socket_connect_timeout", "retry")
    }
    with Proxy(str(valkey.socket_dir / "valkey.sock")) as running:
        settings.REDIS_URL = f"redis://127.0.0.1:{running.port}/0"
        pool = ConnectionPool.from_url(settings.REDIS_URL, **timeouts)
        dramatiq.set_broker(RedisBroker(connection_pool=pool, middleware=[], **options))
        doorbell.ring()  # connects
        yield running
        running.rules = PASS
        running.cut()  # ends requests that wait for a reply
        wait_until(lambda: not doorbell._doorbell.is_waiting)
        dramatiq.set_broker(before)
        pool.disconnect()


@pytest.fixture
def save(client: Client) -> Callable[..., int]:
    """Saves an article through the API; returns the status."""

    def post(number: int) -> int:
        reply = client.post(
            "/api/articles",
            json.dumps({"title": f"Number {number}", "content": "Saved without a broker."}),
            content_type="application/json",
            headers={"authorization": f"Bearer {django_settings.AUTH_TOKEN}"},
        )
        return int(reply.status_code)

    return post


def refuse(proxy: Proxy, _: Any) -> None:
    proxy.rules = Rules(refuse=True)
    proxy.cut()


def swallow(proxy: Proxy, _: Any) -> None:
    proxy.rules = Rules(swallow=True)


def follow_nobody(_: Proxy, server: Any) -> None:
    server.replicaof("127.0.0.1", "1")


def leave_no_memory(_: Proxy, server: Any) -> None:
    server.config_set("maxmemory", 1)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (refuse, "does not answer"),
        (swallow, "does not answer in time"),
        (follow_nobody, "takes no writes: it is a replica"),
        (leave_no_memory, "takes no writes: it is out of memory"),
    ],
)
def test_saves_answer_as_fast_as_ever(
    proxy: Proxy, valkey: ValkeyServer, save: Callable[..., int], harm: Callable[..., Any], says: str
) -> None:
    make_space()
    with Redis.from_url(valkey.url) as server:
        try:
            harm(proxy, server)
            began = time.monotonic()
            assert [save(number) for number in range(SAVES)] == [201] * SAVES
            assert time.monotonic() - began < SECONDS
            assert broker_health.problem() == says
        finally:
            server.replicaof("NO", "ONE")
            server.config_set("maxmemory", 0)
    assert Task.objects.pending().count() == SAVES
