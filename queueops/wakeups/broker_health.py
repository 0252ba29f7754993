"""Whether the broker takes what we send and gives it out: asked by health, which must neither wait for it nor fail with
it. What keeps it from giving it out is removed."""

import functools

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
)
from redis.retry import Retry

from queueops.wakeups import broker_keys, broker_strangers

_SECONDS = 0.3
_KEY, _KEEP_SECONDS = "vectorpress:asked", 60
_WRONG_TYPE = "holds keys of another type than its consumers use, which the workers remove"

# The server's own words may hold its address, so they are not repeated.
_SAYINGS: tuple[tuple[type[BaseException], str], ...] = (
    (ReadOnlyError, "takes no writes: it is a replica"),
    (OutOfMemoryError, "takes no writes: it is out of memory"),
    (AuthenticationError, "refuses our password"),
    (TimeoutError, "does not answer in time"),
    (ConnectionError, "does not answer"),
)


def problem() -> str:
    """What is wrong with the broker, to follow the words "the broker"; empty when it takes a write and its consumers
    can fetch."""
    try:
        client = _client(settings.REDIS_URL)
        client.set(_KEY, 1, ex=_KEEP_SECONDS)
        if broker_keys.of_wrong_type(client):
            return _WRONG_TYPE
    except (RedisError, OSError) as error:
        return next((words for kind, words in _SAYINGS if isinstance(error, kind)), "refuses what we send")
    return ""


def repair() -> list[str]:
    """Removes the keys that keep consumers from fetching; answers which. None where the broker does not answer, which
    `problem` says."""
    try:
        return broker_keys.of_wrong_type(_client(settings.REDIS_URL), remove=True)
    except (RedisError, OSError):
        return []


def strangers() -> str:
    """What a worker process says once of others on the broker's database, a sentence; empty where there are none, or
    where it does not answer. What earlier releases left under names that others may have is removed."""
    client = _client(settings.REDIS_URL)
    try:
        broker_strangers.forget_old_names(client)
        found = broker_strangers.look(client)
    except (RedisError, OSError):
        return ""
    return broker_strangers.sentence(found) if found else ""


@functools.cache
def _client(url: str) -> Redis:
    """Asks once more where a kept connection turns out to be cut."""
    return Redis.from_url(
        url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, retry=Retry(NoBackoff(), 1)
    )
