"""The results of a claim: per task before it is settled, and in total afterwards."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from embeddings.indexing.render import Rendered
from embeddings.providers.errors import ProviderError
from embeddings.storage.vectors import WireVector
from queueops.engine.claims import Claim, Claimed
from queueops.engine.retry_policy import Decision
from queueops.models import Outcome


class Success(NamedTuple):
    task: Claimed
    rendered: Rendered
    outcome: Outcome
    had_kept: bool = False  # it has kept vectors, which are not needed any more


class Failure(NamedTuple):
    task: Claimed
    error: ProviderError
    decision: Decision


@dataclass(frozen=True)
class Effort:
    """The cost of a batch."""

    seconds: float = 0.0
    provider_seconds: float = 0.0
    requests: int = 0
    texts: int = 0


@dataclass(frozen=True)
class Batch:
    """A claim with the results to write. `by_hash` holds the vector of each chunk of the successes."""

    claim: Claim
    results: Sequence[Success | Failure]
    by_hash: dict[bytes, WireVector]
    effort: Effort

    def halves(self) -> tuple["Batch", "Batch"]:
        """Splits the results in two; the first half carries the effort."""
        half = len(self.results) // 2
        first, second = self.results[:half], self.results[half:]
        return replace(self, results=first), replace(self, results=second, effort=Effort())


@dataclass(frozen=True)
class Settled:
    """The outcome of a claim. `lost` counts tasks that no longer belonged to it: their lease had ended, they were
    cancelled or deleted, or an operator changed them; nothing was written for them. `retry_in`: seconds until all tasks
    to retry are due; None if none is delayed."""

    outcomes: Counter[str]
    retried: int
    lost: int
    effort: Effort
    retry_in: float | None = None

    def __add__(self, other: "Settled") -> "Settled":
        """The outcome of two parts of a claim, with the effort of the first."""
        later = max(self.retry_in or 0.0, other.retry_in or 0.0) or None
        lost = self.lost + other.lost
        return Settled(self.outcomes + other.outcomes, self.retried + other.retried, lost, self.effort, later)

    @property
    def failed(self) -> int:
        return self.outcomes[Outcome.FAILED]

    def as_log(self) -> dict[str, Any]:
        rest = {"retried": self.retried, "lost": self.lost}
        return {
            **self.outcomes,
            **{key: value for key, value in rest.items() if value},
            "requests": self.effort.requests,
            "ms": round(self.effort.seconds * 1000),
        }
