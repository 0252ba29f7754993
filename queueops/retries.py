"""What a failed attempt leads to: another try later, or the end; pure."""

from dataclasses import dataclass
from enum import StrEnum

from embeddings.providers.errors import ErrorClass

MAX_BACKOFF_SECONDS = 3_600.0
# how long a provider may send us away, whatever it says
MIN_RETRY_AFTER, MAX_RETRY_AFTER = 1.0, 3_600.0
DOWN_SECONDS = 10.0
AUTH_SECONDS = 60.0


class Verdict(StrEnum):
    AGAIN = "again"  # pending, later, the attempt counted
    WAIT = "wait"  # pending, later, no attempt charged: the text is not at fault
    PARK = "park"  # failed, until an operator requeues it


@dataclass(frozen=True)
class Decision:
    verdict: Verdict
    delay_seconds: float = 0.0


def decide(
    kind: ErrorClass,
    *,
    attempts: int,
    max_attempts: int,
    base_seconds: float,
    retry_after: float | None,
    draw: float,
) -> Decision:
    """`attempts` includes the one that failed; `draw` in [0, 1) is the jitter."""
    match kind:
        case ErrorClass.INVALID_INPUT | ErrorClass.TOO_LONG:
            return Decision(Verdict.PARK)
        case ErrorClass.RATE_LIMITED:
            asked = backoff(attempts, base_seconds, draw) if retry_after is None else retry_after
            return Decision(Verdict.WAIT, min(max(asked, MIN_RETRY_AFTER), MAX_RETRY_AFTER))
        case ErrorClass.PROVIDER_DOWN:
            return Decision(Verdict.WAIT, _spread(min(retry_after or DOWN_SECONDS, MAX_RETRY_AFTER), draw))
        case ErrorClass.AUTH:
            return Decision(Verdict.WAIT, _spread(AUTH_SECONDS, draw))
        case ErrorClass.TRANSIENT:
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
