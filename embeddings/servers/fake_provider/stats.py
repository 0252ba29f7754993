"""Counts the fake provider's requests and replies."""

from collections import Counter, deque
from typing import Any

_MAX_DISTINCT = 100_000
_MAX_SIZES = 1_000


class Stats:
    """The counters of /stats. Only `in_flight` survives a reset: those requests are still running."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Resets all counters."""
        self.requests = self.texts = self.embedded = self.tokens = self.max_batch = 0
        self.max_in_flight = self.in_flight
        self.status: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.refused_again = 0
        self._seen: set[int] = set()
        self._refused: set[int] = set()
        self._sizes: deque[int] = deque(maxlen=_MAX_SIZES)

    def arrived(self, texts: list[str]) -> None:
        """A readable request came in."""
        self.texts += len(texts)
        self.max_batch = max(self.max_batch, len(texts))
        self._sizes.append(len(texts))
        if len(self._seen) < _MAX_DISTINCT:
            self._seen.update(map(hash, texts))

    def refused(self, texts: list[str]) -> None:
        """A request was refused for its texts, as at every repetition."""
        request = hash(tuple(texts))
        self.refused_again += request in self._refused
        if len(self._refused) < _MAX_DISTINCT:
            self._refused.add(request)

    def started(self) -> None:
        """A request is being processed."""
        self.requests += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def as_dict(self) -> dict[str, Any]:
        """`distinct_texts` stops near 100,000, to bound the memory; `sizes` has the texts of each of the last requests,
        `refused_again` counts requests that had been refused before and were made again unchanged."""
        shown = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return {**shown, "distinct_texts": len(self._seen), "sizes": list(self._sizes)}
