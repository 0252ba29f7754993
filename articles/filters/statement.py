"""A filter as a condition of SQL over a row of articles, with its values beside it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

from django.conf import settings
from psycopg import sql

from articles.filters.fields import FieldType
from articles.filters.parse import Condition, Operator, conditions, refuse_operators

_TYPES: dict[FieldType, LiteralString] = {
    FieldType.STRING: "text",
    FieldType.NUMBER: "numeric",
    FieldType.DATE: "timestamptz",
    FieldType.BOOLEAN: "boolean",
}
_COMPARISONS: dict[Operator, LiteralString] = {
    Operator.EQUAL: "{expression} = {value}::{type}",
    Operator.IN: "{expression} = ANY({value}::{type}[])",
    Operator.GREATER: "{expression} > {value}::{type}",
    Operator.GREATER_OR_EQUAL: "{expression} >= {value}::{type}",
    Operator.LESS: "{expression} < {value}::{type}",
    Operator.LESS_OR_EQUAL: "{expression} <= {value}::{type}",
}
_EXISTS: dict[bool, LiteralString] = {True: "{expression} IS NOT NULL", False: "{expression} IS NULL"}


@dataclass(frozen=True)
class Where:
    """A condition over `metadata` of articles; its placeholders are the keys of `values`."""

    text: str
    values: Mapping[str, Any]

    @property
    def is_filter(self) -> bool:
        """False if it keeps every article."""
        return self != EVERYTHING


EVERYTHING = Where("true", {})


def where(filter: Mapping[str, Any] | None) -> Where:
    """The condition of a filter: typed comparisons if SEARCH_FILTERS declares fields, else that the metadata contains
    it. Raises InvalidFilter."""
    if not filter:
        return EVERYTHING
    if not settings.SEARCH_FILTERS:
        refuse_operators(filter)
        return Where("metadata @> %(filter)s::jsonb", {"filter": json.dumps(filter)})
    asked = conditions(filter, settings.SEARCH_FILTERS)
    text = sql.SQL(" AND ").join(_comparison(number, each) for number, each in enumerate(asked))
    return Where(
        text.as_string(None),
        {
            _key(number): each.value
            for number, each in enumerate(asked)
            if each.operator is not Operator.EXISTS
        },
    )


def _comparison(number: int, asked: Condition) -> sql.Composed:
    if asked.operator is Operator.EXISTS:
        return sql.SQL(_EXISTS[asked.value]).format(expression=asked.field.expression)
    return sql.SQL(_COMPARISONS[asked.operator]).format(
        expression=asked.field.expression,
        value=sql.Placeholder(_key(number)),
        type=sql.SQL(_TYPES[asked.field.type]),
    )


def _key(number: int) -> str:
    return f"filter_{number}"
