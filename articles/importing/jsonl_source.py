"""Articles from a file of JSON lines: one object a line, as `export_articles` writes them."""

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

from articles.importing import files
from articles.importing.encodings import in_utf8
from articles.importing.entries import Entry, RefusedEntry, Row, Source, SourceUnreadable

FIELDS = frozenset({"title", "content", "slug", "metadata"})
_IDENTITY = frozenset({"id", "provenance"})
_ARRAY = re.compile(rb"\A\s*\[\s*(?:\{|\Z)")
# Fields of an export that an import ignores.
_IGNORED = frozenset({"version_number", "created_at", "updated_at"})


def open_jsonl(path: str, encoding: str | None = None) -> Source:
    """The articles of a JSONL file, "-" for standard input. Raises SourceUnreadable."""
    name, stream, size = files.open_file(path)
    return Source(
        name,
        read_jsonl(name, stream, encoding),
        size,
        lambda: read_jsonl(name, files.from_start(stream), encoding),
    )


def read_jsonl(name: str, stream: BinaryIO, encoding: str | None = None) -> Iterator[Entry]:
    """One entry per line; empty lines count but are not entries. Raises SourceUnreadable, on the first entry, for one
    array of all articles."""
    with stream:
        is_first = True
        for line in files.lines(in_utf8(stream, encoding)):
            if is_first and line.text and _ARRAY.match(line.text):
                raise SourceUnreadable(
                    f"{name} is one JSON array; give one object a line, as `jq -c '.[]' FILE` prints them"
                )
            is_first = is_first and not line.text
            place = f"{name} line {line.number:,}"
            if line.text is None:
                yield files.too_long(place, "the line", line.position)
            elif line.text.strip():
                yield _entry(place, line.text, line.position)


def _entry(place: str, data: bytes, position: int) -> Entry:
    text = files.decoded(data, place, position)
    if isinstance(text, RefusedEntry):
        return text
    try:
        fields = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        return RefusedEntry(place, f"is not valid JSON: {error.msg} at character {error.pos + 1:,}", position)
    except ValueError as error:  # NaN and Infinity, integers of more than some thousand digits
        return RefusedEntry(place, f"is not valid JSON: {error}", position)
    except RecursionError:
        return RefusedEntry(place, "is nested too deeply", position)
    return _row(place, fields, position)


def _row(place: str, fields: Any, position: int) -> Entry:
    if not isinstance(fields, dict):
        return RefusedEntry(
            place, f"holds {_kind(fields)}; each line must be an object with a title", position
        )
    if unknown := sorted(fields.keys() - FIELDS - _IDENTITY - _IGNORED):
        known = "title, content, slug, metadata and id"
        return RefusedEntry(
            place, f"has the unknown field {unknown[0][:60]!a}; an article has {known}", position
        )
    source, path = _identity(fields)
    if source is None or path is None:
        reason = "has an id that is not a text or a whole number, or a provenance without source and path"
        return RefusedEntry(place, reason, position)
    return Row(place, {key: fields[key] for key in FIELDS & fields.keys()}, position, path, source)


def _identity(fields: dict[str, Any]) -> tuple[str | None, str | None]:
    """Source and path of an article; None for those that cannot be used. An export's provenance comes before an id."""
    if (given := fields.get("provenance")) is not None:
        texts = [given.get(name) if isinstance(given, dict) else None for name in ("source", "path")]
        source, path = (text if isinstance(text, str) and text else None for text in texts)
        return source, path
    if (given := fields.get("id")) is None or isinstance(given, str):
        return "", given or ""
    return "", str(given) if type(given) is int else None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return {list: "a list", str: "a string", bool: "a truth value"}.get(type(value), "a number")
