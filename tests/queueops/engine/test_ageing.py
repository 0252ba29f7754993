"""Old tasks get their share of every claim, and no more."""

import pytest

from queueops.engine.ageing import slots_for_aged


@pytest.mark.parametrize(
    ("batch_size", "draw", "slots"),
    [(100, 0.0, 10), (256, 0.0, 25), (256, 0.5, 26), (16, 0.0, 1), (16, 0.39, 1), (16, 0.41, 2), (1, 0.5, 0)],
)
def test_one_slot_in_ten_goes_to_the_longest_waiting(batch_size: int, draw: float, slots: int) -> None:
    assert slots_for_aged(batch_size, draw) == slots


def test_over_many_claims_the_share_is_a_tenth_for_any_batch_size() -> None:
    draws = [n / 1000 for n in range(1000)]
    for size in (1, 3, 7, 16):
        assert sum(slots_for_aged(size, draw) for draw in draws) == pytest.approx(size * 100, abs=1)
