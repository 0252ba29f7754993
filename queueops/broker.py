"""Whether the broker takes what we send: asked by health, which must neither wait for it nor fail with it."""

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

_SECONDS = 0.3
_KEY, _KEEP_SECONDS = "vectorpress:asked", 60

# The server's own words may hold its address, so they are not repeated.
_SAYINGS: tuple[tuple[type[BaseException], str], ...] = (
    (ReadOnlyError, "takes no writes: it is a replica"),
    (OutOfMemoryError, "takes no writes: it is out of memory"),
    (AuthenticationError, "refuses our password"),
    (TimeoutError, "does not answer in time"),
    (ConnectionError, "does not answer"),
)


def trouble() -> str:
    """What is wrong with the broker, to follow the words "the broker"; empty when it takes a write."""
    try:
        _client(settings.REDIS_URL).set(_KEY, 1, ex=_KEEP_SECONDS)
    except (RedisError, OSError) as error:
        return next((words for kind, words in _SAYINGS if isinstance(error, kind)), "refuses what we send")
    return ""


@functools.cache
def _client(url: str) -> Redis:
    """Asks once more where a kept connection turns out to be cut."""
    return Redis.from_url(
        url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, retry=Retry(NoBackoff(), 1)
    )
