"""What a task's failed attempts met: kept in its row's metadata, so that a later success does not hide it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

MOST_TRIES = 20
_MESSAGE_CHARACTERS = 300

# The metadata of a task `t` with the failed attempt of `d` added, the oldest left out beyond the bound. Plain SQL may
# have put anything there: what is no object stays as it is.
ADDED_SQL = f"""
CASE WHEN jsonb_typeof(t.metadata) = 'object' THEN jsonb_set(t.metadata, '{{tries}}', jsonb_path_query_array(
    coalesce(t.metadata->'tries', '[]') || jsonb_build_object(
        'attempt', t.attempts, 'at', clock_timestamp(), 'error_class', d.error_class,
        'error_message', left(d.error_message, {_MESSAGE_CHARACTERS})),
    '$[last - {MOST_TRIES - 1} to last]'))
ELSE t.metadata END"""


@dataclass(frozen=True)
class FailedAttempt:
    """A failed attempt that was charged; `at` is the moment it was settled."""

    attempt: int
    at: datetime
    error_class: str
    error_message: str


def of(json: str) -> list[FailedAttempt]:
    """The failed attempts that a task's metadata has under `tries`, the oldest first; what else was put there is left
    out."""
    try:
        kept = orjson.loads(json)
    except orjson.JSONDecodeError:  # a number that only Postgres can hold
        return []
    return [made for entry in kept if (made := _try(entry))] if isinstance(kept, list) else []


def _try(entry: Any) -> FailedAttempt | None:
    try:
        return FailedAttempt(
            int(entry["attempt"]),
            datetime.fromisoformat(entry["at"]),
            str(entry["error_class"]),
            str(entry["error_message"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
