"""The filter in the API's document."""

from typing import Any

import jsonschema_rs
import pytest

from articles.filters.described import filter_schema, filters_in_words
from articles.filters.fields import Field, FieldType
from articles.filters.parse import InvalidFilter, conditions

FIELDS = tuple(Field(str(type), type) for type in FieldType)


def test_open_without_declared_fields() -> None:
    assert filter_schema(()) == {}
    assert filters_in_words(()) == "contains this object"


def test_fields_are_named_with_their_types() -> None:
    assert "version (number), at (date)" in filters_in_words(
        [Field("version", FieldType.NUMBER), Field("at", FieldType.DATE)]
    )


@pytest.mark.parametrize(
    "filter",
    [
        {"string": "a", "number": 1.5, "boolean": True},
        {"number": {"$gt": 1, "$lte": 2}},
        {"string": {"$in": ["a", "b"]}, "date": {"$exists": False}},
        {"number": "1"},
        {"number": {"$in": []}},
        {"number": {}},
        {"boolean": {"$gt": True}},
        {"other": 1},
        {"string": {"$exists": 1}},
    ],
)
def test_the_schema_allows_what_is_read_and_nothing_else(filter: dict[str, Any]) -> None:
    try:
        conditions(filter, FIELDS)
        is_read = True
    except InvalidFilter:
        is_read = False
    schema = {"type": "object", **filter_schema(FIELDS)}
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(filter) is is_read
