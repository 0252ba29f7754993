"""When a token ends, as people write it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from pytest_django import Settings

from access.token_expiry import MOST, MOST_OVERLAP, by_default, read_expires, read_overlap


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1m", timedelta(minutes=1)),
        ("90d", timedelta(days=90)),
        ("2w", timedelta(weeks=2)),
        ("0048h", timedelta(days=2)),
        ("36500d", MOST),
    ],
)
def test_a_span_counts_from_now_by_the_clock_of_the_database(text: str, span: timedelta) -> None:
    assert repr(read_expires(text)) == repr(Now() + span)


def test_never_means_without_an_expiry() -> None:
    assert read_expires("never") is None


@pytest.mark.parametrize(
    ("text", "end"),
    [("2098-12-31", datetime(2099, 1, 1, tzinfo=UTC)), ("20980228", datetime(2098, 3, 1, tzinfo=UTC))],
)
def test_a_day_is_over_at_its_midnight(text: str, end: datetime) -> None:
    assert read_expires(text) == end


def test_today_is_a_day_to_come_until_it_is_over() -> None:
    today = datetime.now(UTC).date()
    assert isinstance(read_expires(today.isoformat()), datetime)


@pytest.mark.parametrize(
    "text",
    ["", " ", "0d", "90", "-1d", "1.5h", "1y", "1D", "1 d", "36501d", "999999w", "1000000m", "Never", "2001-01-01",
     "9999-12-31", "2030-02-30", "31.12.2030", "tomorrow", "٣d", "90d\n", "2030-12-31T00:00:00"],
)  # fmt: skip
def test_another_end_is_refused_and_repeated(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        read_expires(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "span"),
    [("0", timedelta()), ("24h", timedelta(days=1)), ("90d", MOST_OVERLAP), ("1m", timedelta(minutes=1))],
)
def test_an_overlap_may_be_none(text: str, span: timedelta) -> None:
    assert read_overlap(text) == span


@pytest.mark.parametrize("text", ["", "91d", "13w", "0h", "00", "1", "-1h", "soon", "never"])
def test_an_overlap_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_overlap(text)


@pytest.mark.parametrize(("days", "ends"), [(0, False), (1, True), (365, True)])
def test_the_setting_says_when_a_token_ends_by_itself(settings: Settings, days: int, ends: bool) -> None:
    settings.API_TOKEN_DAYS = days
    assert isinstance(by_default(), Combinable) is ends
