"""The breaker's decisions; tables of cases."""

from typing import Any

import pytest

from embeddings.providers.errors import ErrorClass
from queueops.admission.circuit_breaker import (
    BatchVerdict,
    BreakerState,
    ProviderReading,
    after,
    block_seconds,
    interval,
    verdict_of,
    wait,
)
from queueops.models import Breaker

CLOSED, OPEN, HALF_OPEN = Breaker.CLOSED, Breaker.OPEN, Breaker.HALF_OPEN


@pytest.mark.parametrize(
    ("error", "requests", "texts", "news"),
    [
        (None, 1, 10, BatchVerdict.ANSWERED),
        (None, 0, 0, BatchVerdict.NONE),
        (ErrorClass.PROVIDER_DOWN, 1, 0, BatchVerdict.FAILED),
        (ErrorClass.TRANSIENT, 1, 0, BatchVerdict.FAILED),
        (ErrorClass.PROVIDER_LOST, 1, 0, BatchVerdict.FAILED),
        (ErrorClass.PROVIDER_DOWN, 2, 10, BatchVerdict.ANSWERED),
        (ErrorClass.TRANSIENT, 2, 10, BatchVerdict.ANSWERED),
        (ErrorClass.RATE_LIMITED, 1, 0, BatchVerdict.ANSWERED),
        (ErrorClass.AUTH, 1, 0, BatchVerdict.ANSWERED),
        (ErrorClass.TOO_LONG, 1, 0, BatchVerdict.ANSWERED),
        (ErrorClass.INVALID_INPUT, 1, 0, BatchVerdict.ANSWERED),
    ],
)
def test_a_batch_says_whether_its_provider_answers(
    error: ErrorClass | None, requests: int, texts: int, news: BatchVerdict
) -> None:
    assert verdict_of(error, requests=requests, texts=texts) is news


@pytest.mark.parametrize("kind", ErrorClass)
def test_every_class_of_error_is_news(kind: ErrorClass) -> None:
    assert verdict_of(kind, requests=1, texts=0) is not BatchVerdict.NONE


CANARY = {"is_canary": True}
STRAGGLER = {"is_canary": False}
CASES = [
    # closed: the third failure in a row opens
    (BreakerState(), BatchVerdict.ANSWERED, STRAGGLER, BreakerState()),
    (BreakerState(), BatchVerdict.NONE, STRAGGLER, BreakerState()),
    (BreakerState(), BatchVerdict.FAILED, STRAGGLER, BreakerState(CLOSED, 1)),
    (BreakerState(CLOSED, 1), BatchVerdict.FAILED, STRAGGLER, BreakerState(CLOSED, 2)),
    (BreakerState(CLOSED, 2), BatchVerdict.FAILED, STRAGGLER, BreakerState(OPEN, 3, 1, 2.0)),
    (BreakerState(CLOSED, 2), BatchVerdict.NONE, STRAGGLER, BreakerState(CLOSED, 2)),
    (BreakerState(CLOSED, 2), BatchVerdict.ANSWERED, STRAGGLER, BreakerState()),
    # not closed: batches in flight when it opened do not count
    (BreakerState(OPEN, 3, 1), BatchVerdict.FAILED, STRAGGLER, BreakerState(OPEN, 3, 1)),
    (BreakerState(OPEN, 3, 1), BatchVerdict.ANSWERED, STRAGGLER, BreakerState(OPEN, 3, 1)),
    (BreakerState(HALF_OPEN, 3, 1), BatchVerdict.FAILED, STRAGGLER, BreakerState(HALF_OPEN, 3, 1)),
    (BreakerState(HALF_OPEN, 3, 1), BatchVerdict.ANSWERED, STRAGGLER, BreakerState(HALF_OPEN, 3, 1)),
    # the canary decides
    (BreakerState(HALF_OPEN, 3, 1), BatchVerdict.ANSWERED, CANARY, BreakerState()),
    (BreakerState(HALF_OPEN, 3, 1), BatchVerdict.FAILED, CANARY, BreakerState(OPEN, 4, 2, 4.0)),
    (BreakerState(HALF_OPEN, 9, 7), BatchVerdict.FAILED, CANARY, BreakerState(OPEN, 10, 8, 60.0)),
    (BreakerState(HALF_OPEN, 3, 1), BatchVerdict.NONE, CANARY, BreakerState(OPEN, 3, 1)),
    (
        BreakerState(HALF_OPEN, 3, 1),
        BatchVerdict.FAILED,
        CANARY | {"retry_after": 30.0},
        BreakerState(OPEN, 4, 2, 30.0),
    ),
]


@pytest.mark.parametrize(("before", "news", "who", "then"), CASES)
def test_the_breaker_after_a_batch(
    before: BreakerState, news: BatchVerdict, who: dict[str, Any], then: BreakerState
) -> None:
    assert after(before, news, **who) == then


@pytest.mark.parametrize(
    ("openings", "retry_after", "seconds"),
    [
        (1, None, 2.0),
        (2, None, 4.0),
        (5, None, 32.0),
        (6, None, 60.0),
        (10_000, None, 60.0),
        (1, 20.0, 20.0),
        (5, 1.0, 32.0),
        (1, 1e9, 60.0),
        (1, float("inf"), 60.0),
    ],
)
def test_the_interval_doubles_within_bounds(openings: int, retry_after: float | None, seconds: float) -> None:
    assert interval(openings, retry_after) == seconds


@pytest.mark.parametrize(
    ("retry_after", "refusals", "seconds"),
    [
        (7.0, 1, 7.0),
        (7.0, 99, 7.0),
        (0.0, 1, 1.0),
        (-3.0, 1, 1.0),
        (1e9, 1, 3_600.0),
        (float("inf"), 1, 3_600.0),
        (None, 1, 1.0),
        (None, 3, 4.0),
        (None, 10_000, 60.0),
    ],
)
def test_a_refusal_blocks_as_asked_within_bounds(
    retry_after: float | None, refusals: int, seconds: float
) -> None:
    assert block_seconds(retry_after, refusals) == seconds


def reading(
    breaker: Breaker = CLOSED,
    retry_in: float = 0.0,
    canary_for: float = 0.0,
    blocked_for: float = 0.0,
    calls: int = 0,
) -> ProviderReading:
    return ProviderReading(breaker, retry_in, canary_for, blocked_for, calls)


@pytest.mark.parametrize(
    ("row", "limit", "seconds"),
    [
        (reading(), 0, 0.0),
        (reading(retry_in=-5, blocked_for=-5), 0, 0.0),
        (reading(blocked_for=3), 0, 3),
        (reading(retry_in=9), 0, 0.0),  # a closed breaker's old times mean nothing
        (reading(OPEN, retry_in=9), 0, 9),
        (reading(OPEN, retry_in=-1), 0, 0.0),
        (reading(OPEN, retry_in=2, blocked_for=5), 0, 5),
        (reading(HALF_OPEN, retry_in=-1, canary_for=20), 0, 20),
        (reading(HALF_OPEN, retry_in=-1, canary_for=-1), 0, 0.0),  # the canary died
        (reading(calls=2), 3, 0.0),
        (reading(calls=3), 3, 1.0),
        (reading(calls=3), 0, 0.0),
    ],
)
def test_when_a_worker_may_claim(row: ProviderReading, limit: int, seconds: float) -> None:
    assert wait(row, limit) == seconds
