"""What a person reads who has tried too often; test_backends.py and test_second_factor.py have the pages."""

import pytest
from django.http import HttpResponse

from access.attempts import TooManyAttempts
from access.sign_in_pages import refused, sentence_of


@pytest.mark.parametrize(
    ("wait", "time"),
    [
        (0, "1 second;"),
        (1, "1 second;"),
        (2, "2 seconds;"),
        (119, "119 seconds;"),
        (120, "2 minutes;"),
        (121, "3 minutes;"),
        (900, "15 minutes;"),
    ],
)
def test_a_wait_is_said_in_seconds_or_in_minutes_that_are_enough(wait: int, time: str) -> None:
    assert f"in {time}" in sentence_of(TooManyAttempts(wait))


def test_a_refusal_says_when_to_come_back() -> None:
    response = refused(HttpResponse(b"page"), TooManyAttempts(61.5))
    assert (response.status_code, response["Retry-After"], response.content) == (429, "62", b"page")
