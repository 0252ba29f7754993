"""The Redis client of the web processes: it fails fast, so that no request waits for a Redis that is away."""

from functools import cache

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_SECONDS = 0.5


@cache
def fast_client(url: str) -> Redis:
    """One client per process and address, which never retries; its commands raise RedisError or OSError."""
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
