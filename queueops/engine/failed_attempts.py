"""The errors of a task's failed attempts, kept in its metadata so that a later success does not hide them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

MOST_KEPT = 20
_MESSAGE_CHARACTERS = 300

# The metadata of a task `t` with the failed attempt of `d` added; beyond the limit the oldest are dropped. Metadata
# that plain SQL has replaced by something other than an object is left unchanged.
ADDED_SQL = f"""
CASE WHEN jsonb_typeof(t.metadata) = 'object' THEN jsonb_set(t.metadata, '{{failed_attempts}}', jsonb_path_query_array(
    coalesce(t.metadata->'failed_attempts', '[]') || jsonb_build_object(
        'attempt', t.attempts, 'at', clock_timestamp(), 'error_class', d.error_class,
        'error_message', left(d.error_message, {_MESSAGE_CHARACTERS})),
    '$[last - {MOST_KEPT - 1} to last]'))
ELSE t.metadata END"""


@dataclass(frozen=True)
class FailedAttempt:
    """A failed attempt that was charged; `at` is when it was settled."""

    attempt: int
    at: datetime
    error_class: str
    error_message: str


def of(json: str) -> list[FailedAttempt]:
    """The failed attempts in a task's metadata under `failed_attempts`, oldest first; invalid entries are skipped."""
    try:
        kept = orjson.loads(json)
    except orjson.JSONDecodeError:  # a number that only Postgres can hold
        return []
    return [made for entry in kept if (made := _parsed(entry))] if isinstance(kept, list) else []


def _parsed(entry: Any) -> FailedAttempt | None:
    try:
        return FailedAttempt(
            int(entry["attempt"]),
            datetime.fromisoformat(entry["at"]),
            str(entry["error_class"]),
            str(entry["error_message"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
