"""The breaker's decisions; tables of cases."""

import pytest

from embeddings.providers.errors import ErrorClass
from queueops.admission.circuit_breaker import (
    News,
    Standing,
    State,
    after,
    block_seconds,
    interval,
    news_of,
    wait,
)
from queueops.models import Breaker

CLOSED, OPEN, HALF_OPEN = Breaker.CLOSED, Breaker.OPEN, Breaker.HALF_OPEN


@pytest.mark.parametrize(
    ("error", "requests", "texts", "news"),
    [
        (None, 1, 10, News.ANSWERED),
        (None, 0, 0, News.NONE),
        (ErrorClass.PROVIDER_DOWN, 1, 0, News.FAILED),
        (ErrorClass.TRANSIENT, 1, 0, News.FAILED),
        (ErrorClass.PROVIDER_LOST, 1, 0, News.FAILED),
        (ErrorClass.PROVIDER_DOWN, 2, 10, News.ANSWERED),
        (ErrorClass.TRANSIENT, 2, 10, News.ANSWERED),
        (ErrorClass.RATE_LIMITED, 1, 0, News.ANSWERED),
        (ErrorClass.AUTH, 1, 0, News.ANSWERED),
        (ErrorClass.TOO_LONG, 1, 0, News.ANSWERED),
        (ErrorClass.INVALID_INPUT, 1, 0, News.ANSWERED),
    ],
)
def test_a_batch_says_whether_its_provider_answers(error, requests, texts, news):
    assert news_of(error, requests=requests, texts=texts) is news


@pytest.mark.parametrize("kind", ErrorClass)
def test_every_class_of_error_is_news(kind):
    assert news_of(kind, requests=1, texts=0) is not News.NONE


CANARY = {"is_canary": True}
STRAGGLER = {"is_canary": False}
CASES = [
    # closed: the third failure in a row opens
    (State(), News.ANSWERED, STRAGGLER, State()),
    (State(), News.NONE, STRAGGLER, State()),
    (State(), News.FAILED, STRAGGLER, State(CLOSED, 1)),
    (State(CLOSED, 1), News.FAILED, STRAGGLER, State(CLOSED, 2)),
    (State(CLOSED, 2), News.FAILED, STRAGGLER, State(OPEN, 3, 1, 2.0)),
    (State(CLOSED, 2), News.NONE, STRAGGLER, State(CLOSED, 2)),
    (State(CLOSED, 2), News.ANSWERED, STRAGGLER, State()),
    # not closed: what was under way when it opened says nothing new
    (State(OPEN, 3, 1), News.FAILED, STRAGGLER, State(OPEN, 3, 1)),
    (State(OPEN, 3, 1), News.ANSWERED, STRAGGLER, State(OPEN, 3, 1)),
    (State(HALF_OPEN, 3, 1), News.FAILED, STRAGGLER, State(HALF_OPEN, 3, 1)),
    (State(HALF_OPEN, 3, 1), News.ANSWERED, STRAGGLER, State(HALF_OPEN, 3, 1)),
    # the canary decides
    (State(HALF_OPEN, 3, 1), News.ANSWERED, CANARY, State()),
    (State(HALF_OPEN, 3, 1), News.FAILED, CANARY, State(OPEN, 4, 2, 4.0)),
    (State(HALF_OPEN, 9, 7), News.FAILED, CANARY, State(OPEN, 10, 8, 60.0)),
    (State(HALF_OPEN, 3, 1), News.NONE, CANARY, State(OPEN, 3, 1)),
    (State(HALF_OPEN, 3, 1), News.FAILED, CANARY | {"retry_after": 30.0}, State(OPEN, 4, 2, 30.0)),
]


@pytest.mark.parametrize(("before", "news", "who", "then"), CASES)
def test_the_breaker_after_a_batch(before, news, who, then):
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
def test_the_interval_doubles_within_bounds(openings, retry_after, seconds):
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
def test_a_refusal_blocks_as_asked_within_bounds(retry_after, refusals, seconds):
    assert block_seconds(retry_after, refusals) == seconds


def standing(breaker=CLOSED, retry_in=0.0, canary_for=0.0, blocked_for=0.0, calls=0):
    return Standing(breaker, retry_in, canary_for, blocked_for, calls)


@pytest.mark.parametrize(
    ("row", "limit", "seconds"),
    [
        (standing(), 0, 0.0),
        (standing(retry_in=-5, blocked_for=-5), 0, 0.0),
        (standing(blocked_for=3), 0, 3),
        (standing(retry_in=9), 0, 0.0),  # a closed breaker's old times mean nothing
        (standing(OPEN, retry_in=9), 0, 9),
        (standing(OPEN, retry_in=-1), 0, 0.0),
        (standing(OPEN, retry_in=2, blocked_for=5), 0, 5),
        (standing(HALF_OPEN, retry_in=-1, canary_for=20), 0, 20),
        (standing(HALF_OPEN, retry_in=-1, canary_for=-1), 0, 0.0),  # the canary died
        (standing(calls=2), 3, 0.0),
        (standing(calls=3), 3, 1.0),
        (standing(calls=3), 0, 0.0),
    ],
)
def test_when_a_worker_may_claim(row, limit, seconds):
    assert wait(row, limit) == seconds
