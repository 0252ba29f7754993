"""Rate limits: a count per minute in Redis, shared by all web processes.

An unavailable Redis never refuses or delays a request: requests are not counted, and Redis is not called for a while.
"""

import threading
import time
from functools import cache

import structlog
from django.conf import settings
from ninja.errors import Throttled
from redis.exceptions import RedisError, ResponseError

from access.redis_count_script import HELPERS
from lib.redis_client import fast_client

WINDOW_SECONDS = 60
# Wrong tokens allowed from one address.
REFUSALS_A_MINUTE = 120
_BLOCKS = 100
_CALLERS_HELD = 1_000
_LEFT_ALONE_SECONDS = 5.0
_LOG_EVERY_SECONDS = 60.0

# KEYS: the count. ARGV: how many are added, and how long (ms) it is kept at most.
_ADD = f"""{HELPERS}
count_of(KEYS[1])
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
end_within(KEYS[1], tonumber(ARGV[2]))
return count
"""

log = structlog.get_logger(__name__)


def spend(who: str, limit: int) -> None:
    """Counts one request of `who` in this minute. Raises Throttled beyond `limit`; 0 is no limit, and costs nothing."""
    if not limit:
        return
    window, seconds_in = divmod(int(time.time()), WINDOW_SECONDS)
    if not _counts_at(settings.REDIS_URL).take_one(f"vectorpress:spent:{who}:{window}", limit):
        raise Throttled(wait=WINDOW_SECONDS - seconds_in)


class Counts:
    """Counters in Redis that forget themselves; nothing is refused while Redis is away.

    Each process takes a hundredth of a limit at a time, so that few requests ask Redis at all. What it has taken and
    not used when the minute ends is lost to the caller: up to a hundredth for each process.
    """

    def __init__(self, url: str) -> None:
        self._redis = fast_client(url)
        self._add = self._redis.register_script(_ADD)
        self._lock = threading.Lock()
        self._taken: dict[str, int] = {}
        self._left_alone_until = float("-inf")
        self._log_from = float("-inf")

    def take_one(self, key: str, limit: int) -> bool:
        """Whether one more is within the limit, now that it is counted."""
        with self._lock:
            if left := self._taken.get(key, 0):
                self._taken[key] = left - 1
                return True
        block = max(1, limit // _BLOCKS)
        count = self.add(key, block)
        got = min(block, limit - (count - block))
        if got > 1:
            self._keep(key, got - 1)
        return got > 0

    def add(self, key: str, number: int) -> int:
        """The count after adding; 0 while Redis is away."""
        if time.monotonic() < self._left_alone_until:
            return 0
        try:
            return int(self._add([key], [number, 2 * WINDOW_SECONDS * 1_000]))
        except (RedisError, OSError) as error:
            self._leave_alone(error)
            return 0

    def _keep(self, key: str, number: int) -> None:
        with self._lock:
            if len(self._taken) >= _CALLERS_HELD:  # mostly those of minutes past
                self._taken.clear()
            self._taken[key] = self._taken.get(key, 0) + number

    def _leave_alone(self, error: Exception) -> None:
        with self._lock:
            now = time.monotonic()
            self._left_alone_until = now + _LEFT_ALONE_SECONDS
            if now >= self._log_from:
                self._log_from = now + _LOG_EVERY_SECONDS
                what = (
                    "Redis refuses to count" if isinstance(error, ResponseError) else "Redis does not answer"
                )
                log.warning(f"{what}; requests are not limited", error=type(error).__name__)


@cache
def _counts_at(url: str) -> Counts:
    return Counts(url)
