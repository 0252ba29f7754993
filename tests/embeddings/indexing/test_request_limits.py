"""The size of request that a provider accepts is found with few refusals, and remembered."""

import pytest

from embeddings.indexing.request_limits import Bound, RequestLimits


@pytest.mark.parametrize(
    ("accepted", "refused", "most"),
    [
        (0, None, 100),
        (64, None, 100),
        (0, 64, 32),
        (0, 1, 1),
        (8, 16, 12),
        (8, 12, 10),
        (10, 12, 10),
        (10, 11, 10),
        (1, 2, 1),
        (90, 200, 100),
    ],
)
def test_the_next_request_is_as_large_as_is_worth_trying(
    accepted: int, refused: int | None, most: int
) -> None:
    assert Bound(accepted, refused).most(100) == most


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 25, 32, 96, 100, 128, 511])
def test_any_limit_is_found_within_a_quarter_by_few_refusals(limit: int) -> None:
    bound, refusals = Bound(), 0
    for _ in range(60):
        size = bound.most(512)
        if size <= limit:
            bound.accept(size)
        else:
            bound.refuse(size)
            refusals += 1
    assert limit * 0.75 <= bound.most(512) <= limit
    assert refusals <= 13


def test_a_server_that_accepts_more_than_before_is_believed() -> None:
    bound = Bound(8, 16)
    bound.accept(20)
    assert bound.most(100) == 100


def test_a_refusal_of_no_more_texts_than_before_is_put_down_to_their_tokens() -> None:
    limits = RequestLimits()
    limits.accept(64, 6_400)
    limits.refuse(64, 20_000)
    assert limits.inputs.most(512) == 512
    assert limits.tokens.most(270_000) == 13_200
    limits.refuse(128, 1_000)
    assert limits.inputs.most(512) == 96
