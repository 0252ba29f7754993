"""The results of a claim, in halves before they are written and in sum afterwards."""

import uuid
from collections import Counter
from typing import Any

import pytest

from embeddings.indexing.render import Source
from embeddings.models import Space
from embeddings.providers.errors import ErrorClass, ProviderError
from queueops.engine.claims import Claim, Claimed
from queueops.engine.results import Batch, Effort, Failure, Settled
from queueops.engine.retry_policy import Decision, Verdict

EFFORT = Effort(1.2346, 1.0, 3, 40)


def make_batch(count: int) -> Batch:
    tasks = [Claimed(n, 1, 3, Source(n, 1, uuid.uuid4(), "T", "x")) for n in range(count)]
    error = ProviderError(ErrorClass.TRANSIENT, "a 500")
    failures = [Failure(task, error, Decision(Verdict.RETRY)) for task in tasks]
    return Batch(Claim(Space(), uuid.uuid4(), tasks), failures, {b"h": b"v"}, EFFORT)


@pytest.mark.parametrize(("count", "sizes"), [(0, (0, 0)), (1, (0, 1)), (2, (1, 1)), (5, (2, 3))])
def test_halves_have_all_results_in_their_order_and_the_effort_once(
    count: int, sizes: tuple[int, int]
) -> None:
    batch = make_batch(count)
    first, second = batch.halves()
    assert (len(first.results), len(second.results)) == sizes
    assert [*first.results, *second.results] == list(batch.results)
    assert (first.effort, second.effort) == (EFFORT, Effort())
    assert first.claim is second.claim is batch.claim


def settled(**fields: Any) -> Settled:
    nothing: dict[str, Any] = {"outcomes": Counter(), "retried": 0, "lost": 0, "effort": EFFORT}
    return Settled(**nothing | fields)


def test_the_sum_of_two_parts_has_both_counts_and_the_effort_of_the_first() -> None:
    first = settled(outcomes=Counter(embedded=2, failed=1), retried=1, lost=2)
    second = settled(outcomes=Counter(embedded=3), retried=4, effort=Effort())
    both = first + second
    assert (both.outcomes, both.retried, both.lost, both.effort) == (
        Counter(embedded=5, failed=1), 5, 2, EFFORT,
    )  # fmt: skip
    assert (both.failed, second.failed) == (1, 0)


@pytest.mark.parametrize(
    ("first", "second", "later"),
    [(None, None, None), (2.0, None, 2.0), (None, 2.0, 2.0), (2.0, 5.0, 5.0), (5.0, 2.0, 5.0)],
)
def test_all_are_due_when_the_last_is(first: float | None, second: float | None, later: float | None) -> None:
    assert (settled(retry_in=first) + settled(retry_in=second)).retry_in == later


@pytest.mark.parametrize(
    ("fields", "logged"),
    [
        ({}, {"requests": 3, "ms": 1235}),
        (
            {"outcomes": Counter(embedded=2), "retried": 1},
            {"embedded": 2, "retried": 1, "requests": 3, "ms": 1235},
        ),
        ({"lost": 4, "effort": Effort()}, {"lost": 4, "requests": 0, "ms": 0}),
    ],
)
def test_a_log_line_has_what_happened_and_no_zeros_of_what_did_not(
    fields: dict[str, Any], logged: dict[str, int]
) -> None:
    assert settled(**fields).as_log() == logged
