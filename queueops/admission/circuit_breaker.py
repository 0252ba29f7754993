"""When a provider's circuit breaker opens, for how long, and when a canary may call; pure, on values of its row.

The circuit breaker is that of M. Nygard, "Release It!" (2007), shared by all workers.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from embeddings.providers.errors import ErrorClass
from queueops.models import Breaker

# This many batches in a row must fail before the breaker opens: one or two failures happen to a healthy provider.
FAILURES_TO_OPEN = 3
# A provider that restarts is back in seconds; one that stays down is called once per minute.
FIRST_INTERVAL, LONGEST_INTERVAL = 2.0, 60.0
# The canary's provider call must end within the first, and its lease outlives that.
CANARY_SECONDS, CANARY_LEASE_SECONDS = 20.0, 30.0
# Bounds for the wait that a provider may demand.
MIN_BLOCK_SECONDS, MAX_BLOCK_SECONDS = 1.0, 3_600.0
_LONGEST_GUESS = 60.0
# Another call holds the last slot; it frees the slot by itself, so this wait only covers its death.
_SLOT_SECONDS = 1.0


class BatchVerdict(StrEnum):
    """What a batch shows about its provider."""

    ANSWERED = "answered"  # it responded, even with an error of the text
    FAILED = "failed"  # no response, or an unusable one
    NONE = "none"  # it was not called


_FAILED = {ErrorClass.PROVIDER_DOWN, ErrorClass.PROVIDER_LOST, ErrorClass.TRANSIENT}


def verdict_of(error: ErrorClass | None, *, requests: int, texts: int) -> BatchVerdict:
    """The verdict of a batch with so many requests and embedded texts that ended with `error`, if any.

    Vectors before the failure prove that the provider responds; the next batch shows whether it still does.
    """
    if error in _FAILED and not texts:
        return BatchVerdict.FAILED
    return BatchVerdict.ANSWERED if requests else BatchVerdict.NONE


@dataclass(frozen=True)
class BreakerState:
    """A breaker; `retry_in` is set if it has just opened: seconds until the next canary."""

    breaker: Breaker = Breaker.CLOSED
    failures: int = 0
    openings: int = 0
    retry_in: float | None = None


def after(
    state: BreakerState, verdict: BatchVerdict, *, is_canary: bool, retry_after: float | None = None
) -> BreakerState:
    """The breaker after a batch. While it is not closed, only the canary's verdict counts: other batches were sent
    before it opened. `retry_after` is what the provider asks for, in seconds."""
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
    """Seconds from the `openings`th opening in a row to the canary: doubling, longer if the provider asks, bounded."""
    grown = FIRST_INTERVAL * 2.0 ** min(openings - 1, 30)
    return min(max(grown, retry_after or 0.0), LONGEST_INTERVAL)


def block_seconds(retry_after: float | None, refusals: int) -> float:
    """Seconds without calls after the `refusals`th 429 in a row: as the provider demands, within bounds; by default
    1 s, doubling each time."""
    guess = min(2.0 ** min(refusals - 1, 30), _LONGEST_GUESS)
    return min(max(guess if retry_after is None else retry_after, MIN_BLOCK_SECONDS), MAX_BLOCK_SECONDS)


@dataclass(frozen=True)
class ProviderReading:
    """A provider's row as read before a claim; spans in seconds from now on the database's clock, negative if past."""

    breaker: Breaker
    retry_in: float
    canary_for: float
    blocked_for: float
    calls: int


def wait(reading: ProviderReading, calls_in_flight: int) -> float:
    """Seconds until a worker may claim for the provider; 0.0: now. `calls_in_flight` is the limit; 0: none."""
    held = reading.blocked_for
    if reading.breaker != Breaker.CLOSED:
        held = max(held, reading.retry_in, reading.canary_for)
    if calls_in_flight and reading.calls >= calls_in_flight:
        held = max(held, _SLOT_SECONDS)
    return max(held, 0.0)
