"""Metadata fields with a type, as SEARCH_FILTERS declares them, and the SQL expression of a field's value.

The expression is that of the field's index, so both are made here. It is NULL where the metadata has no value of the
type, and of bounded size, since an index entry that is too large would refuse the save.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import LiteralString

from psycopg import sql

MAX_NAME = 63
MAX_FIELDS = 32
# A name is a literal of statements with %(placeholders)s.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NOT_IN_INDEX_NAMES = re.compile(r"[^a-z0-9]+")
# Text is compared by its first characters. A value to compare with is shorter, so the rest never decides.
_COMPARED_CHARACTERS = 500
MAX_TEXT = _COMPARED_CHARACTERS - 1
# Numbers lie within 64 bits, but plain SQL may write thousands of decimal places.
_NUMBER_DIGITS = 700


class FieldType(StrEnum):
    STRING = "string"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"


_EXPRESSIONS: dict[FieldType, LiteralString] = {
    FieldType.STRING: (
        "(CASE WHEN jsonb_typeof(metadata -> {name}) = 'string' THEN left(metadata ->> {name}, {compared}) END)"
        ' COLLATE "C"'
    ),
    FieldType.NUMBER: (
        "(CASE WHEN jsonb_typeof(metadata -> {name}) = 'number' AND length(metadata ->> {name}) <= {digits}"
        " THEN (metadata -> {name})::numeric END)"
    ),
    FieldType.DATE: "articles_filter_date(metadata ->> {name})",
    FieldType.BOOLEAN: (
        "(CASE WHEN jsonb_typeof(metadata -> {name}) = 'boolean' THEN (metadata -> {name})::boolean END)"
    ),
}


@dataclass(frozen=True)
class Field:
    """A top-level key of the metadata whose values are filtered by as this type."""

    name: str
    type: FieldType

    def __str__(self) -> str:
        return f"{self.name} ({self.type})"

    @property
    def expression(self) -> sql.Composed:
        """The field's value, over a row of articles: text, numeric, timestamptz or boolean."""
        return sql.SQL(_EXPRESSIONS[self.type]).format(
            name=sql.Literal(self.name),
            compared=sql.Literal(_COMPARED_CHARACTERS),
            digits=sql.Literal(_NUMBER_DIGITS),
        )

    @property
    def index_name(self) -> str:
        """Another expression has another name, so that a change of type or of release makes a new index."""
        digest = hashlib.blake2b(self.expression.as_string(None).encode(), digest_size=4).hexdigest()
        readable = _NOT_IN_INDEX_NAMES.sub("_", self.name.lower())[:30]
        return f"{INDEX_PREFIX}{readable}_{digest}"


INDEX_PREFIX = "articles_filter_"
