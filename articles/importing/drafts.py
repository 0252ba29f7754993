"""Turns a row's fields into an article ready to be written, or into the sentence why it is refused."""

import json
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from articles import limits
from articles.importing.entries import RefusedEntry, Row
from lib.nfc import nfc, nfc_json


@dataclass(frozen=True, slots=True)
class Draft:
    """An article within the bounds; `slug` is empty where the title shall make one."""

    place: str
    slug: str
    title: str
    content: str
    metadata: str  # a JSON object
    source: str = ""
    path: str = ""  # its identity in the source; empty where the slug is
    other_slug: str = ""  # of the article that is this entry's if it is the same in every field

    @property
    def size(self) -> int:
        return len(self.title) + len(self.content) + len(self.metadata)


def draft_from(row: Row) -> Draft | RefusedEntry:
    """The row as a draft, checked by the same rule as everywhere else, or its refusal."""
    try:
        return _checked(row)
    except ValidationError as error:
        return RefusedEntry(row.place, " ".join(error.messages), row.position)


def _checked(row: Row) -> Draft:
    title = nfc(_text(row.fields, "title"))
    limits.check_title(title)
    content = nfc(_text(row.fields, "content"))
    limits.check_content(content)
    if slug := nfc(_text(row.fields, "slug")):
        limits.check_slug(slug)
    metadata = row.fields.get("metadata")
    metadata = {} if metadata is None else metadata
    limits.check_metadata(metadata)
    source, path = nfc(row.source), nfc(row.path)
    limits.check_entry("source", source, limits.MAX_SOURCE)
    limits.check_entry("id or path", path, limits.MAX_PATH)
    text = json.dumps(nfc_json(metadata), ensure_ascii=False)
    return Draft(row.place, slug, title, content, text, source, path)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None and name == "title":
        raise ValidationError("title is missing")
    if value is not None and not isinstance(value, str):
        raise ValidationError(f"{name} is {type(value).__name__}; it must be a text")
    return value or ""
