"""When a token ends, as people write it: 90d, 2026-12-31, never."""

import re
from datetime import UTC, date, datetime, time, timedelta

from django.conf import settings
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_DURATION = re.compile(r"([0-9]{1,6})([mhdw])")
MOST = timedelta(days=36_500)
MOST_OVERLAP = timedelta(days=90)


def by_default() -> Combinable | None:
    """API_TOKEN_DAYS from now; None where tokens do not end by themselves."""
    return Now() + timedelta(days=settings.API_TOKEN_DAYS) if settings.API_TOKEN_DAYS else None


def read_expires(text: str) -> datetime | Combinable | None:
    """The end of a token: a time from now (90d), the end of a day in UTC (2026-12-31), or never. Raises ValueError."""
    if text == "never":
        return None
    if (span := _duration(text)) and span <= MOST:
        return Now() + span
    try:
        day = date.fromisoformat(text)
        end = datetime.combine(day + timedelta(days=1), time(), UTC)
    except (ValueError, OverflowError):
        end = None
    if end is None or not timedelta() < end - datetime.now(UTC) <= MOST:
        raise ValueError(
            f"invalid end {text!r}: use a number followed by m, h, d or w (90d), a day to come (2030-12-31) or never; "
            f"at most {MOST.days:,} days from now"
        )
    return end


def read_overlap(text: str) -> timedelta:
    """How long a rotated token stays valid: 24h, 7d or 0. Raises ValueError."""
    span = timedelta() if text == "0" else _duration(text)
    if span is None or span > MOST_OVERLAP:
        raise ValueError(
            f"invalid overlap {text!r}: use 0 or a number followed by m, h, d or w (24h); at most "
            f"{MOST_OVERLAP.days} days"
        )
    return span


def _duration(text: str) -> timedelta | None:
    if not (parts := _DURATION.fullmatch(text)):
        return None
    span = int(parts[1]) * _UNITS[parts[2]]
    return span if span else None
