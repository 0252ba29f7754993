"""Counts of failed attempts with blocks that double: in Redis, and in this process while Redis is away.

Unlike the counts of access/throttles.py these never fail open: guessing stays limited whatever happens to Redis.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import structlog
from django.conf import settings
from redis.exceptions import RedisError, ResponseError

from access.redis_count_script import HELPERS
from lib.redis_client import fast_client

LONGEST_BLOCK_SECONDS = 900
LONGEST_MARK_SECONDS = 30 * 86_400
_BLOCKS_REMEMBERED_SECONDS = 86_400
_KEYS_HELD = 10_000
_LEFT_ALONE_SECONDS = 5.0
_LOG_EVERY_SECONDS = 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """`most` attempts of `key` within `seconds`; then none for `block` seconds, twice as long at each further block
    within a day, up to LONGEST_BLOCK_SECONDS."""

    key: str
    most: int
    seconds: int
    block: int

    def block_after(self, blocks: int) -> float:
        """Seconds of the block that begins when there were `blocks` of them today, this one included."""
        return float(min(self.block * 2 ** min(blocks - 1, 20), LONGEST_BLOCK_SECONDS))


@dataclass(frozen=True, slots=True)
class Taken:
    """`wait` is 0 where the attempt was counted, else the seconds until the block ends; `counts` are those of the
    limits it was counted by, in their order."""

    wait: float
    counts: tuple[int, ...] = ()


# KEYS: the mark of a known caller, then a count and its number of blocks for each limit.
# ARGV: how many of the limits hold for a known caller, then most, window, first block (ms) of each; the longest block,
# how long a mark holds at most. No end is believed that this script would not have set.
_TAKE = f"""{HELPERS}
local longest_block, longest_mark = tonumber(ARGV[#ARGV - 1]), tonumber(ARGV[#ARGV])
local checked = (#KEYS - 1) / 2
if redis.call('EXISTS', KEYS[1]) == 1 then
  end_within(KEYS[1], longest_mark)
  checked = tonumber(ARGV[1])
end
local wait = 0
for i = 1, checked do
  local is_full = count_of(KEYS[2 * i]) >= tonumber(ARGV[3 * i - 1])
  end_within(KEYS[2 * i], is_full and longest_block or tonumber(ARGV[3 * i]))
  if is_full then wait = math.max(wait, redis.call('PTTL', KEYS[2 * i]), 1) end
end
if wait > 0 then return {{wait}} end
local reply = {{0}}
for i = 1, checked do
  local count = redis.call('INCR', KEYS[2 * i])
  if count == 1 then redis.call('PEXPIRE', KEYS[2 * i], ARGV[3 * i]) end
  if count == tonumber(ARGV[3 * i - 1]) then
    local blocks = count_of(KEYS[2 * i + 1]) + 1
    redis.call('SET', KEYS[2 * i + 1], blocks, 'EX', {_BLOCKS_REMEMBERED_SECONDS})
    local block = math.min(tonumber(ARGV[3 * i + 1]) * 2 ^ math.min(blocks - 1, 20), longest_block)
    redis.call('PEXPIRE', KEYS[2 * i], string.format('%d', block))
  end
  reply[i + 1] = count
end
return reply
"""
_GIVE_BACK = f"""{HELPERS}
for i = 1, #KEYS do
  if count_of(KEYS[i]) > 0 then redis.call('DECR', KEYS[i]) end
end
"""


class RedisCounts:
    """Counts shared by all processes; raises RedisError or OSError while Redis is away."""

    def __init__(self, url: str) -> None:
        self._redis = fast_client(url)
        self._take = self._redis.register_script(_TAKE)
        self._give_back = self._redis.register_script(_GIVE_BACK)

    def take(self, limits: Sequence[Limit], known: str, for_known: int) -> Taken:
        keys = [known, *(key for limit in limits for key in (limit.key, f"{limit.key}:blocks"))]
        arguments = [for_known]
        for limit in limits:
            arguments += [limit.most, limit.seconds * 1_000, limit.block * 1_000]
        longest = [LONGEST_BLOCK_SECONDS * 1_000, LONGEST_MARK_SECONDS * 1_000]
        wait, *counts = self._take(keys, [*arguments, *longest])
        return Taken(min(int(wait) / 1_000, LONGEST_BLOCK_SECONDS), tuple(map(int, counts)))

    def give_back(self, keys: Sequence[str]) -> None:
        if keys:
            self._give_back(list(keys))

    def forget(self, keys: Sequence[str]) -> None:
        if keys:
            self._redis.delete(*keys, *(f"{key}:blocks" for key in keys))

    def remember(self, known: str, seconds: int) -> None:
        self._redis.set(known, 1, ex=seconds)


class ProcessCounts:
    """The same within this process, of at most `_KEYS_HELD` keys: those not touched for longest go first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[int, float]] = OrderedDict()  # key to count and end

    def take(self, limits: Sequence[Limit], known: str, for_known: int) -> Taken:
        with self._lock:
            checked = limits[:for_known] if self._read(known) else limits
            full = [limit.key for limit in checked if self._read(limit.key) >= limit.most]
            if full:
                return Taken(max(self._held[key][1] - time.monotonic() for key in full))
            return Taken(0, tuple(self._count(limit) for limit in checked))

    def give_back(self, keys: Sequence[str]) -> None:
        with self._lock:
            for key in keys:
                if count := self._read(key):
                    self._held[key] = (count - 1, self._held[key][1])

    def forget(self, keys: Sequence[str]) -> None:
        with self._lock:
            for key in keys:
                self._held.pop(key, None)
                self._held.pop(f"{key}:blocks", None)

    def remember(self, known: str, seconds: int) -> None:
        with self._lock:
            self._write(known, 1, seconds)

    def _count(self, limit: Limit) -> int:
        count = self._read(limit.key) + 1
        if count == limit.most:
            blocks = self._read(f"{limit.key}:blocks") + 1
            self._write(f"{limit.key}:blocks", blocks, _BLOCKS_REMEMBERED_SECONDS)
            self._write(limit.key, count, limit.block_after(blocks))
        elif count == 1:
            self._write(limit.key, count, limit.seconds)
        else:
            self._held[limit.key] = (count, self._held[limit.key][1])
        return count

    def _read(self, key: str) -> int:
        count, ends = self._held.get(key, (0, math.inf))
        if ends <= time.monotonic():
            del self._held[key]
            return 0
        if count:
            self._held.move_to_end(key)
        return count

    def _write(self, key: str, count: int, seconds: float) -> None:
        self._held[key] = (count, time.monotonic() + seconds)
        self._held.move_to_end(key)
        while len(self._held) > _KEYS_HELD:
            self._held.popitem(last=False)


class Counts:
    """Counts in Redis; while it is away, in this process, and Redis is left alone for a few seconds."""

    def __init__(self, url: str) -> None:
        self._shared, self._own = RedisCounts(url), ProcessCounts()
        self._left_alone_until = self._log_from = float("-inf")

    def take(self, limits: Sequence[Limit], known: str, for_known: int) -> Taken:
        """Counts an attempt by each limit, unless one of them is full: then by none. A caller with the mark `known`
        is held to the first `for_known` limits only."""
        if time.monotonic() >= self._left_alone_until:
            try:
                return self._shared.take(limits, known, for_known)
            except (RedisError, OSError) as error:
                self._leave_alone(error)
        return self._own.take(limits, known, for_known)

    def settle(
        self, *, forget: Sequence[str] = (), give_back: Sequence[str] = (), known: str = "", seconds: int = 0
    ) -> None:
        """Takes counts back (to nothing, or by one), and marks a caller as known for so many seconds."""
        if time.monotonic() >= self._left_alone_until:
            try:
                self._settle(self._shared, forget, give_back, known, seconds)
            except (RedisError, OSError) as error:
                self._leave_alone(error)
        self._settle(self._own, forget, give_back, known, seconds)

    def _settle(
        self,
        counts: RedisCounts | ProcessCounts,
        forget: Sequence[str],
        give_back: Sequence[str],
        known: str,
        seconds: int,
    ) -> None:
        counts.forget(forget)
        counts.give_back(give_back)
        if known:
            counts.remember(known, seconds)

    def _leave_alone(self, error: Exception) -> None:
        now = time.monotonic()
        self._left_alone_until = now + _LEFT_ALONE_SECONDS
        if now >= self._log_from:
            self._log_from = now + _LOG_EVERY_SECONDS
            what = "Redis refuses to count" if isinstance(error, ResponseError) else "Redis does not answer"
            log.warning(f"{what}; attempts are counted per process", error=type(error).__name__)


def counts() -> Counts:
    """This process's counts."""
    return _counts_at(settings.REDIS_URL)


def forget() -> None:
    """Deletes the process's own counts, as in a new process."""
    _counts_at.cache_clear()


@cache
def _counts_at(url: str) -> Counts:
    return Counts(url)
