"""A provider's speed, measured per request and process: the size of a request, the number in flight, and which
articles are long for it. A quick provider has no limits."""

import contextlib
import functools
import heapq
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from embeddings.indexing.request_limits import RequestLimits
from embeddings.models import Space

# A request should end within this: a twelfth of a batch's deadline, so that a cut-off request costs little.
AIM_SECONDS = 10.0
# The first request to an unmeasured provider: about one chunk, which a slow one ends in time, too.
FIRST_TOKENS = 256
# The next one is at most this many times as large as one that was answered, however quickly: what is measured on a few
# texts, which the server may have had at hand, says little about a thousand.
MOST_GROWTH = 16
# Quicker requests do not count as a measurement: most of the time may be the network.
SLOW_SECONDS = 1.0
# Requests of this size count anyway.
_TELLING_TOKENS = 1_000
_CUT = 4  # after a timeout the next request is a quarter of the size
_WEIGHT = 0.3  # of the newest measurement
_BYTES_PER_TOKEN = 3  # as tokens.estimate has it
# An article is long if it takes the provider more than this, and has more bytes than that.
LONG_SECONDS, LEAST_LONG_BYTES = 5.0, 32_768
# No article has more: if a provider embeds this much in LONG_SECONDS, none is long.
_MOST_LONG_BYTES = 2_000_000
# One is computed while the next is in transit.
LEAST_AT_ONCE = 2
_KEEPS_BUSY = 0.9  # fewer are enough while total throughput drops by no more than a tenth
_LOOK_SECONDS = 0.5


@dataclass
class Speed:
    """The measurements. `room` is the maximum tokens per request; `tokens_per_second`, over all requests, is known
    only of a slow provider."""

    room: int = field(default_factory=lambda: FIRST_TOKENS)
    tokens_per_second: float | None = None

    @property
    def long_bytes(self) -> int | None:
        """Articles of more bytes are long; None if the provider is quick, or not measured yet."""
        if self.tokens_per_second is None:
            return None
        size = int(self.tokens_per_second * LONG_SECONDS * _BYTES_PER_TOKEN)
        return None if size > _MOST_LONG_BYTES else max(size, LEAST_LONG_BYTES)

    def answered(self, tokens: int, seconds: float, at_once: int) -> None:
        """A request of so many tokens succeeded while `at_once`, itself included, were in flight."""
        seconds = max(seconds, 0.001)
        shown = int(tokens * AIM_SECONDS / seconds)
        if seconds > AIM_SECONDS:
            self.room = max(shown, 1)
        else:
            self.room = max(self.room, min(shown, tokens * MOST_GROWTH))
        rate, known = at_once * tokens / seconds, self.tokens_per_second
        if known is None:
            self.tokens_per_second = rate if seconds >= SLOW_SECONDS else None
        elif rate > known / _WEIGHT:
            self.tokens_per_second = rate
        elif rate > known or tokens >= _TELLING_TOKENS or seconds >= AIM_SECONDS:
            self.tokens_per_second = known + _WEIGHT * (rate - known)

    def unanswered(self, tokens: int, seconds: float) -> None:
        """A request of so many tokens failed after that time."""
        if seconds > AIM_SECONDS:
            self.room = max(min(self.room, tokens) // _CUT, 1)


@dataclass
class Width:
    """The number of requests in flight: for a slow provider, as few as keep it busy. One less is tried while throughput
    does not drop; a provider that computes several side by side keeps them."""

    limit: int | None = None
    _rates: dict[int, float] = field(default_factory=dict)
    _seen: Counter[int] = field(default_factory=Counter)
    _least: int = LEAST_AT_ONCE

    def free(self) -> None:
        """No limit: the provider is quick."""
        if self.limit is not None:
            self.limit, self._rates, self._seen, self._least = None, {}, Counter(), LEAST_AT_ONCE

    def measured(self, at_once: int, rate: float, under_way: int = 0) -> None:
        """A request of a slow provider was one of `at_once`, together `rate` tokens per second; the first finds that
        many still in flight."""
        if self.limit is None:
            self.limit = max(at_once, under_way, LEAST_AT_ONCE)
        known = self._rates.get(at_once, rate)
        self._rates[at_once] = known + _WEIGHT * (rate - known)
        self._seen[at_once] += 1
        if at_once == self.limit and self._seen[at_once] >= 2 * at_once:
            self._step(at_once)

    def _step(self, at_once: int) -> None:
        more = self._rates.get(at_once + 1)
        if more and self._rates[at_once] < _KEEPS_BUSY * more:
            self.limit = self._least = at_once + 1
        elif at_once > self._least:
            self.limit = at_once - 1
        self._seen.clear()


class Pace:
    """This process's measurements of one provider, and the queue in which its requests wait."""

    def __init__(self) -> None:
        self.speed = Speed()
        self.limits = RequestLimits()
        self._width = Width()
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int]] = []
        self._numbers = itertools.count()
        self._under_way = 0

    @contextlib.contextmanager
    def request(self, tokens: int, ahead: int, is_over: Callable[[], bool]) -> Iterator[bool]:
        """For the duration of one request of so many tokens; yields whether it may be sent, False if `is_over` before
        its turn came. `ahead` is how many tokens its batch still has to send: smaller ones go first."""
        at_once = self._enter(ahead, is_over)
        began, is_answered = time.monotonic(), False
        try:
            yield at_once > 0
            is_answered = True
        finally:
            if at_once:
                self._leave(tokens, time.monotonic() - began, at_once, is_answered)

    def _enter(self, ahead: int, is_over: Callable[[], bool]) -> int:
        """How many are in flight with this one; 0: its turn did not come."""
        with self._changed:
            if self._is_full() or self._waiting:
                place = (time.monotonic() + self._seconds(ahead), next(self._numbers))
                heapq.heappush(self._waiting, place)
                while self._is_full() or self._waiting[0] != place:
                    if is_over():
                        self._waiting.remove(place)
                        heapq.heapify(self._waiting)
                        self._changed.notify_all()
                        return 0
                    self._changed.wait(_LOOK_SECONDS)
                heapq.heappop(self._waiting)
                self._changed.notify_all()
            self._under_way += 1
            return self._under_way

    def _seconds(self, tokens: int) -> float:
        """How long later requests may overtake this one: at most the duration of one."""
        return (
            min(tokens / self.speed.tokens_per_second, AIM_SECONDS) if self.speed.tokens_per_second else 0.0
        )

    def _is_full(self) -> bool:
        return self._width.limit is not None and self._under_way >= self._width.limit

    def _leave(self, tokens: int, seconds: float, at_once: int, is_answered: bool) -> None:
        with self._changed:
            self._under_way -= 1
            if is_answered:
                self.speed.answered(tokens, seconds, at_once)
            else:
                self.speed.unanswered(tokens, seconds)
            if self.speed.long_bytes is None:
                self._width.free()
            elif is_answered and (tokens >= _TELLING_TOKENS or seconds >= SLOW_SECONDS):
                self._width.measured(at_once, at_once * tokens / max(seconds, 0.001), self._under_way)
            self._changed.notify_all()


@functools.cache
def _of(provider: str, model: str) -> Pace:
    return Pace()


def of(space: Space) -> Pace:
    """The pace of a space's provider."""
    return _of(space.provider, space.model)


def forget() -> None:
    """Discards all measurements (for tests that change the provider)."""
    _of.cache_clear()
