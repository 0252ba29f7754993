"""Batches grow and shrink so that each holds its locks for about the same short time."""

import pytest

from queueops.operate.operations import pacing


@pytest.mark.parametrize(
    ("size", "seconds", "most", "then"),
    [
        (250, 0.01, 2_000, 500),  # quick: doubled
        (250, 0.1, 2_000, 250),  # as wanted
        (2_000, 0.01, 2_000, 2_000),
        (1_000, 0.2, 2_000, 500),  # twice too long: half
        (1_000, 10.0, 2_000, 200),  # however slow, it goes on
        (250, 0.0, 2_000, 500),
        (5, 0.001, 5, 5),  # as few as the operator says
        (1, 1.0, 1, 1),
    ],
)
def test_the_next_size_follows_from_the_time_the_last_one_took(
    size: int, seconds: float, most: int, then: int
) -> None:
    assert pacing.next_size(size, seconds, most) == then


@pytest.mark.parametrize(("size", "then"), [(1_000, 250), (4, 1), (3, 1), (1, 1)])
def test_a_collision_makes_the_next_batch_much_smaller(size: int, then: int) -> None:
    assert pacing.after_collision(size) == then


def test_an_act_that_few_wait_for_may_take_larger_batches() -> None:
    assert pacing.next_size(1_000, 0.25, aim=0.5) == 2_000
