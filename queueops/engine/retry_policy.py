"""Decides what follows a failed attempt: a retry later, or parking; pure."""

from dataclasses import dataclass
from enum import StrEnum

from embeddings.providers.errors import ErrorClass

MAX_BACKOFF_SECONDS = 3_600.0
# A provider that does not respond while its breaker is still closed: about as long as the breaker's first interval.
DOWN_SECONDS, MAX_DOWN_SECONDS = 2.0, 60.0
# A failed canary task goes behind the others of its priority, so that it is not always the same task.
CANARY_BACK_SECONDS = 1.0
_REFUSED_SECONDS = 30.0


class Verdict(StrEnum):
    RETRY = "retry"  # pending, later, the attempt counted
    DEFER = "defer"  # pending, no attempt charged: the text is not at fault
    CUT = "cut"  # as DEFER; its next attempt sends it in small chunks
    PARK = "park"  # failed, until an operator requeues it


@dataclass(frozen=True)
class Decision:
    """`delay_seconds` from now; with 0.0 the task keeps its place in the queue, and the provider's row says when
    claiming resumes."""

    verdict: Verdict
    delay_seconds: float = 0.0


_PLACE_IN_LINE = Decision(Verdict.DEFER)


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
    may_be_cut: bool = False,
) -> Decision:
    """`attempts` includes the one that failed; `draw` in [0, 1) is the jitter. `is_out`: the provider's breaker is not
    closed, so no text is at fault; `is_canary`: this task was the canary. `has_progressed`: some of its chunks were
    embedded and kept, so it finishes however often it fails. `is_alone`: it was lost before, and claimed alone.
    `may_be_cut`: it was lost before, is long, was alone now, and was sent whole only."""
    match kind:
        case ErrorClass.INVALID_INPUT | ErrorClass.TOO_LONG:
            return Decision(Verdict.PARK)  # refused alone and in small pieces: nothing is left to try
        case ErrorClass.RATE_LIMITED | ErrorClass.AUTH | ErrorClass.POSTPONED:
            return _PLACE_IN_LINE
        case ErrorClass.PROVIDER_LOST if (
            may_be_cut and attempts >= max_attempts and (is_canary or not is_out)
        ):
            return Decision(Verdict.CUT, CANARY_BACK_SECONDS if is_out else backoff(1, base_seconds, draw))
        case ErrorClass.PROVIDER_DOWN | ErrorClass.PROVIDER_LOST | ErrorClass.TRANSIENT if is_out:
            return Decision(Verdict.DEFER, CANARY_BACK_SECONDS) if is_canary else _PLACE_IN_LINE
        case ErrorClass.PROVIDER_DOWN:
            wanted = DOWN_SECONDS if retry_after is None else retry_after
            return Decision(Verdict.DEFER, _spread(min(max(wanted, DOWN_SECONDS), MAX_DOWN_SECONDS), draw))
        case ErrorClass.TRANSIENT | ErrorClass.PROVIDER_LOST if has_progressed:
            return Decision(Verdict.DEFER, backoff(1, base_seconds, draw))
        case ErrorClass.PROVIDER_LOST if attempts >= max_attempts and not is_alone:
            return Decision(Verdict.DEFER, backoff(attempts, base_seconds, draw))  # the last runs alone
        case ErrorClass.TRANSIENT | ErrorClass.PROVIDER_LOST | ErrorClass.STORAGE_REFUSED:
            if attempts >= max_attempts:
                return Decision(Verdict.PARK)
            return Decision(Verdict.RETRY, backoff(attempts, base_seconds, draw))


def base_seconds(kind: ErrorClass, usual: float) -> float:
    """`usual`, or more for rows that the database refuses: a foreign trigger is not removed within seconds."""
    return max(usual, _REFUSED_SECONDS) if kind is ErrorClass.STORAGE_REFUSED else usual


def backoff(attempts: int, base_seconds: float, draw: float) -> float:
    """Exponential with equal jitter: between half of and the whole of base × 2^(attempts - 1), at most an hour.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    whole = min(base_seconds * 2.0 ** min(attempts - 1, 30), MAX_BACKOFF_SECONDS)
    return whole / 2 * (1 + draw)


def _spread(seconds: float, draw: float) -> float:
    """Up to a quarter longer, so that deferred tasks do not all become due at once."""
    return seconds * (1 + draw / 4)
