"""What a failed attempt leads to: another try later, or the end; pure."""

from dataclasses import dataclass
from enum import StrEnum

from embeddings.providers.errors import ErrorClass

MAX_BACKOFF_SECONDS = 3_600.0
# A provider that does not answer but is not out yet: about as long as its breaker's first interval.
DOWN_SECONDS, MAX_DOWN_SECONDS = 2.0, 60.0
# The task that asked in vain for all others goes behind those of its rank, so that it is not always the same one.
CANARY_BACK_SECONDS = 1.0


class Verdict(StrEnum):
    AGAIN = "again"  # pending, later, the attempt counted
    WAIT = "wait"  # pending, no attempt charged: the text is not at fault
    PARK = "park"  # failed, until an operator requeues it


@dataclass(frozen=True)
class Decision:
    """`delay_seconds` from now; 0.0 leaves the task its place in line, and the provider's row says when it goes on."""

    verdict: Verdict
    delay_seconds: float = 0.0


_PLACE_IN_LINE = Decision(Verdict.WAIT)


def decide(
    kind: ErrorClass,
    *,
    attempts: int,
    max_attempts: int,
    base_seconds: float,
    retry_after: float | None,
    draw: float,
    is_out: bool = False,
    is_canary: bool = False,
    has_progressed: bool = False,
    is_alone: bool = True,
) -> Decision:
    """`attempts` includes the one that failed; `draw` in [0, 1) is the jitter. `is_out`: the provider's breaker is not
    closed, so that no text is at fault; `is_canary`: this task was the one that asked whether it is back.
    `has_progressed`: some of its passages were embedded and kept, so that it comes to an end however often it fails.
    `is_alone`: it was lost before, and claimed with no other beside it."""
    match kind:
        case ErrorClass.INVALID_INPUT | ErrorClass.TOO_LONG:
            return Decision(Verdict.PARK)  # it was refused alone, and in small pieces: nothing is left to try
        case ErrorClass.RATE_LIMITED | ErrorClass.AUTH | ErrorClass.POSTPONED:
            return _PLACE_IN_LINE
        case ErrorClass.PROVIDER_DOWN | ErrorClass.PROVIDER_LOST | ErrorClass.TRANSIENT if is_out:
            return Decision(Verdict.WAIT, CANARY_BACK_SECONDS) if is_canary else _PLACE_IN_LINE
        case ErrorClass.PROVIDER_DOWN:
            asked = DOWN_SECONDS if retry_after is None else retry_after
            return Decision(Verdict.WAIT, _spread(min(max(asked, DOWN_SECONDS), MAX_DOWN_SECONDS), draw))
        case ErrorClass.TRANSIENT | ErrorClass.PROVIDER_LOST if has_progressed:
            return Decision(Verdict.WAIT, backoff(1, base_seconds, draw))
        case ErrorClass.PROVIDER_LOST if attempts >= max_attempts and not is_alone:
            return Decision(Verdict.WAIT, backoff(attempts, base_seconds, draw))  # the last attempt is alone
        case ErrorClass.TRANSIENT | ErrorClass.PROVIDER_LOST | ErrorClass.STORAGE_REFUSED:
            if attempts >= max_attempts:
                return Decision(Verdict.PARK)
            return Decision(Verdict.AGAIN, backoff(attempts, base_seconds, draw))


def backoff(attempts: int, base_seconds: float, draw: float) -> float:
    """Exponential with equal jitter: between half of and the whole of base × 2^(attempts - 1), at most an hour.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    whole = min(base_seconds * 2.0 ** min(attempts - 1, 30), MAX_BACKOFF_SECONDS)
    return whole / 2 * (1 + draw)


def _spread(seconds: float, draw: float) -> float:
    """Up to a quarter longer, so that what waits does not come back all at once."""
    return seconds * (1 + draw / 4)
