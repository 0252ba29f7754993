"""A span of time in the largest unit of which there are at least two; pure."""

import pytest

from lib.durations import age

HOUR, DAY = 3_600, 86_400


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (1, "1 s"),
        (59.6, "60 s"),
        (119.4, "119 s"),
        (120, "2 min"),
        (150, "2 min"),
        (151, "3 min"),
        (2 * HOUR - 1, "120 min"),
        (2 * HOUR, "2 h"),
        (2 * DAY - 1, "48 h"),
        (2 * DAY, "2 days"),
        (1_000 * DAY, "1000 days"),
    ],
)
def test_the_unit_is_the_largest_of_which_there_are_two(seconds: float, words: str) -> None:
    assert age(seconds) == words


def test_a_span_that_a_clock_set_back_made_negative_is_zero() -> None:
    assert age(-5) == "0 s"
