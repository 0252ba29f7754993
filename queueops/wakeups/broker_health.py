"""Whether the broker accepts and delivers messages, for health, which must neither wait for it nor fail with it. Keys
that block delivery are removed."""

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

from queueops.wakeups import broker_keys, foreign_broker_users

_SECONDS = 0.3
_KEY, _KEEP_SECONDS = "vectorpress:asked", 60
_WRONG_TYPE = "holds keys of a wrong type, which the workers remove"

# The server's own message may contain its address, so it is not repeated.
_PROBLEMS: tuple[tuple[type[BaseException], str], ...] = (
    (ReadOnlyError, "takes no writes: it is a replica"),
    (OutOfMemoryError, "takes no writes: it is out of memory"),
    (AuthenticationError, "refuses our password"),
    (TimeoutError, "does not answer in time"),
    (ConnectionError, "does not answer"),
)


def problem() -> str:
    """What is wrong with the broker, to follow the words "the broker"; empty when it accepts a write and its consumers
    can fetch."""
    try:
        client = _client(settings.REDIS_URL)
        client.set(_KEY, 1, ex=_KEEP_SECONDS)
        if broker_keys.of_wrong_type(client):
            return _WRONG_TYPE
    except (RedisError, OSError) as error:
        return next((words for kind, words in _PROBLEMS if isinstance(error, kind)), "refuses our messages")
    return ""


def repair() -> list[str]:
    """Removes the keys that keep consumers from fetching; returns their names, none if the broker does not respond
    (see `problem`)."""
    try:
        return broker_keys.of_wrong_type(_client(settings.REDIS_URL), remove=True)
    except (RedisError, OSError):
        return []


def strangers() -> str:
    """A sentence on other Dramatiq programs in the broker's database; empty if there are none or it does not respond.
    Removes wake-ups that earlier releases left under shared names."""
    client = _client(settings.REDIS_URL)
    try:
        foreign_broker_users.forget_old_names(client)
        found = foreign_broker_users.look(client)
    except (RedisError, OSError):
        return ""
    return foreign_broker_users.sentence(found) if found else ""


@functools.cache
def _client(url: str) -> Redis:
    """Retries once if a pooled connection was closed."""
    return Redis.from_url(
        url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, retry=Retry(NoBackoff(), 1)
    )
