"""When a provider is left alone, for how long, and who asks it again; pure, over what its row says.

The circuit breaker is the one of M. Nygard, "Release It!" (2007), shared by all workers.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from embeddings.providers.errors import ErrorClass
from queueops.models import Breaker

# This many batches in a row must fail before a provider counts as out: one or two happen to a healthy one.
FAILURES_TO_OPEN = 3
# A provider that only restarts is back in seconds; one that stays away is asked once a minute.
FIRST_INTERVAL, LONGEST_INTERVAL = 2.0, 60.0
# The canary's provider call must end within the first, and its lease outlives that.
CANARY_SECONDS, CANARY_LEASE_SECONDS = 20.0, 30.0
# How long a provider may send us away, whatever it says.
MIN_BLOCK_SECONDS, MAX_BLOCK_SECONDS = 1.0, 3_600.0
_LONGEST_GUESS = 60.0
# Somebody else's call holds the last slot: they go on by themselves, so this wait only guards against their death.
_SLOT_SECONDS = 1.0


class BatchVerdict(StrEnum):
    """What a batch says about its provider."""

    ANSWERED = "answered"  # it is there, whatever it said
    FAILED = "failed"  # nobody answered, or nothing usable
    NONE = "none"  # it was not asked


_FAILED = {ErrorClass.PROVIDER_DOWN, ErrorClass.PROVIDER_LOST, ErrorClass.TRANSIENT}


def verdict_of(error: ErrorClass | None, *, requests: int, texts: int) -> BatchVerdict:
    """What a batch says that made so many requests, got vectors for so many texts, and ended with `error` or none.

    One that got vectors before it failed proves that the provider answers; the next will say whether it still does.
    """
    if error in _FAILED and not texts:
        return BatchVerdict.FAILED
    return BatchVerdict.ANSWERED if requests else BatchVerdict.NONE


@dataclass(frozen=True)
class BreakerState:
    """A breaker; `retry_in` is set where it has just opened: seconds until the next canary."""

    breaker: Breaker = Breaker.CLOSED
    failures: int = 0
    openings: int = 0
    retry_in: float | None = None


def after(
    state: BreakerState, verdict: BatchVerdict, *, is_canary: bool, retry_after: float | None = None
) -> BreakerState:
    """The breaker after a batch. While it is not closed, only the canary's verdict count: what others still had under
    way when it opened was sent to the provider as it was before. `retry_after` in seconds is the provider's wish."""
    if state.breaker != Breaker.CLOSED and not is_canary:
        return state
    match verdict:
        case BatchVerdict.ANSWERED:
            return BreakerState()
        case BatchVerdict.NONE:
            return state if state.breaker == Breaker.CLOSED else replace(state, breaker=Breaker.OPEN)
        case BatchVerdict.FAILED:
            failures = state.failures + 1
            if state.breaker == Breaker.CLOSED and failures < FAILURES_TO_OPEN:
                return replace(state, failures=failures)
            openings = state.openings + 1
            return BreakerState(Breaker.OPEN, failures, openings, interval(openings, retry_after))


def interval(openings: int, retry_after: float | None = None) -> float:
    """Seconds from the given opening in a row to the canary: doubling, longer if the provider asks for it, bounded."""
    grown = FIRST_INTERVAL * 2.0 ** min(openings - 1, 30)
    return min(max(grown, retry_after or 0.0), LONGEST_INTERVAL)


def block_seconds(retry_after: float | None, refusals: int) -> float:
    """How long nobody asks after a 429, the `refusals`th in a row: as the provider says, within bounds; where it says
    nothing, 1 s and then twice as long each time."""
    guess = min(2.0 ** min(refusals - 1, 30), _LONGEST_GUESS)
    return min(max(guess if retry_after is None else retry_after, MIN_BLOCK_SECONDS), MAX_BLOCK_SECONDS)


@dataclass(frozen=True)
class ProviderReading:
    """A provider's row as a worker reads it before a claim; spans in seconds from now on the database's clock,
    negative where they have passed."""

    breaker: Breaker
    retry_in: float
    canary_for: float
    blocked_for: float
    calls: int


def wait(reading: ProviderReading, calls_in_flight: int) -> float:
    """Seconds until a worker may claim for the provider, 0.0: now. `calls_in_flight` is the limit, 0: none."""
    held = reading.blocked_for
    if reading.breaker != Breaker.CLOSED:
        held = max(held, reading.retry_in, reading.canary_for)
    if calls_in_flight and reading.calls >= calls_in_flight:
        held = max(held, _SLOT_SECONDS)
    return max(held, 0.0)
