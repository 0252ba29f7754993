"""The valid values of each field of a manifest, which is as untrusted as its archive."""

import re
import reprlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from config.backups import server
from config.backups.errors import BackupError

FORMAT = 1
WHOLE, QUEUE = "whole", "queue"
# Quoted or not, such a name means the same table, and nothing else, in every program that it may come to.
TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_TABLE_WORDS = "1 to 63 of the characters A-Z, a-z, 0-9 and _, the first not a digit"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_APP = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_MIGRATION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")  # the operator may be asked to type it
_TIME = re.compile(r"[0-9T:.+Z-]{19,40}")
_MAX_ENTRIES = 10_000
_MAX_NUMBER = 2**63 - 1
_SERVERS = range(9, 100)
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


class Field(NamedTuple):
    """Whether a value is valid, and the valid values in words."""

    is_valid: Callable[[Any], bool]
    expected: str


def check(given: Any, archive: Path, place: Path) -> dict[str, Any]:
    """The fields of a manifest at `place`, all of them valid. Raises BackupError, which names the first that
    is not."""
    if not isinstance(given, dict):
        raise BackupError(f"{place} cannot be read as a manifest: expected a JSON object")
    if "format" in given and not _is(int, given["format"]):
        raise _refusal(place, "format", given["format"], str(FORMAT))
    if given.get("format") != FORMAT:
        raise BackupError(
            f"{place} is of format {shown(given.get('format'))}, and this version reads format {FORMAT}"
        )
    fields = _FIELDS | {"file": Field(lambda value: value == archive.name, shown(archive.name))}
    for name in given:
        if name not in fields:
            raise BackupError(f"{place} has the unknown field {shown(name)}; expected {', '.join(fields)}")
    for name, field in fields.items():
        if name not in given:
            raise BackupError(f"{place} lacks the field {name}; expected {field.expected}")
        if not field.is_valid(given[name]):
            raise _refusal(place, name, given[name], field.expected)
    _check_entries(place, "migrations", given["migrations"], _MIGRATIONS)
    _check_entries(place, "rows", given["rows"], _QUEUE_ROWS if given["kind"] == QUEUE else _ROWS)
    return given


def shown(value: Any) -> str:
    """A value to quote in a sentence: short, and without control characters."""
    return _SHORT.repr(value)


def _check_entries(place: Path, name: str, entries: dict[str, Any], pair: tuple[Field, Field]) -> None:
    keys, values = pair
    for key, value in entries.items():
        if not keys.is_valid(key):
            raise _refusal(place, f"a key of {name}", key, keys.expected)
        if not values.is_valid(value):
            raise _refusal(place, f"{name}[{shown(key)}]", value, values.expected)


def _refusal(place: Path, name: str, value: Any, expected: str) -> BackupError:
    return BackupError(f"{place} is invalid: {name} is {shown(value)}, expected {expected}")


def _is(kind: type, value: Any) -> bool:
    return type(value) is kind  # True is an int for isinstance


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: _is(str, value) and pattern.fullmatch(value) is not None


def _whole_number(numbers: range) -> Callable[[Any], bool]:
    return lambda value: _is(int, value) and value in numbers


def _is_time(value: Any) -> bool:
    if not _matches(_TIME)(value):
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_printable(value: Any) -> bool:
    return _is(str, value) and len(value) <= 63 and value.isprintable()


def _has_entries(value: Any) -> bool:
    return _is(dict, value) and len(value) <= _MAX_ENTRIES


_FIELDS = {
    "format": Field(_whole_number(range(FORMAT, FORMAT + 1)), str(FORMAT)),
    "sha256": Field(_matches(_SHA256), "64 hexadecimal digits"),
    "bytes": Field(_whole_number(range(1, _MAX_NUMBER + 1)), "a positive whole number"),
    "kind": Field(lambda value: value in (WHOLE, QUEUE), f"{WHOLE} or {QUEUE}"),
    "made_at": Field(_is_time, "a time with its zone, such as 2026-01-31T12:00:00+00:00"),
    "database": Field(_is_printable, "at most 63 printable characters"),
    "server": Field(
        _whole_number(_SERVERS), f"a major version of Postgres, {_SERVERS.start} to {_SERVERS.stop - 1}"
    ),
    "migrations": Field(_has_entries, f"an object of at most {_MAX_ENTRIES:,} entries"),
    "rows": Field(
        lambda value: _has_entries(value) and len(value) > 0, f"an object of 1 to {_MAX_ENTRIES:,} entries"
    ),
}
_MIGRATIONS = (
    Field(_matches(_APP), "the label of an app"),
    Field(_matches(_MIGRATION), "the name of a migration"),
)
_COUNT = Field(_whole_number(range(_MAX_NUMBER + 1)), "a whole number that is not negative")
_ROWS = (Field(_matches(TABLE), f"a table's name: {_TABLE_WORDS}"), _COUNT)
_QUEUE_ROWS = (Field(lambda name: name in server.queue_tables(), "a table of the queue"), _COUNT)
