"""What a filter asks, and the sentences about what it cannot ask."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from articles.filters.fields import MAX_TEXT, Field, FieldType
from articles.filters.parse import (
    MAX_ALTERNATIVES,
    Condition,
    InvalidFilter,
    Operator,
    conditions,
    date,
    operators_of,
    refuse_operators,
)

USER = Field("userId", FieldType.STRING)
VERSION = Field("version", FieldType.NUMBER)
CREATED = Field("created", FieldType.DATE)
PUBLIC = Field("public", FieldType.BOOLEAN)
FIELDS = (USER, VERSION, CREATED, PUBLIC)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("filter", "wanted"),
    [
        ({}, []),
        ({"userId": "u1"}, [Condition(USER, Operator.EQUAL, "u1")]),
        ({"userId": {"$eq": ""}}, [Condition(USER, Operator.EQUAL, "")]),
        ({"version": 1.5}, [Condition(VERSION, Operator.EQUAL, Decimal("1.5"))]),
        ({"version": {"$in": [1, 2]}}, [Condition(VERSION, Operator.IN, [Decimal(1), Decimal(2)])]),
        ({"public": False}, [Condition(PUBLIC, Operator.EQUAL, False)]),
        ({"public": {"$exists": False}}, [Condition(PUBLIC, Operator.EXISTS, False)]),
        (
            {"created": {"$gte": "2026-01-01", "$lt": "2026-01-01T01:00:00+01:00"}, "userId": "a"},
            [
                Condition(CREATED, Operator.GREATER_OR_EQUAL, NEW_YEAR),
                Condition(CREATED, Operator.LESS, NEW_YEAR),
                Condition(USER, Operator.EQUAL, "a"),
            ],
        ),
    ],
)
def test_a_filter_is_comparisons_that_all_hold(filter: dict[str, Any], wanted: list[Condition]) -> None:
    assert conditions(filter, FIELDS) == wanted


KNOWN = "userId (string), version (number), created (date), public (boolean)"


@pytest.mark.parametrize(
    ("filter", "sentence"),
    [
        ({"user": "a"}, f"filter has the unknown field 'user'; known fields: {KNOWN}"),
        ({"$or": []}, f"filter has the operator in place of a field '$or'; known fields: {KNOWN}"),
        ({"a" * 100: 1}, f"filter has the unknown field '{'a' * 60}…'; known fields: {KNOWN}"),
        (
            {"userId": {}},
            "filter 'userId' is an empty object; operators: $eq, $in, $gt, $gte, $lt, $lte, $exists",
        ),
        (
            {"version": {"$ne": 1}},
            "filter 'version' has the unknown operator '$ne'; operators of a number: "
            "$eq, $in, $gt, $gte, $lt, $lte, $exists",
        ),
        (
            {"public": {"$gt": False}},
            "filter 'public' has the unknown operator '$gt'; operators of a boolean: $eq, $in, $exists",
        ),
        (
            {"version": "1"},
            "filter 'version' is a number and cannot be compared with '1'; give a number",
        ),
        ({"version": True}, "filter 'version' is a number and cannot be compared with true; give a number"),
        (
            {"userId": 7},
            "filter 'userId' is a string and cannot be compared with 7; give a text of at most 499 characters",
        ),
        (
            {"userId": None},
            "filter 'userId' is a string and cannot be compared with null; give a text of at most 499 characters; "
            'to find articles without it: {"$exists": false}',
        ),
        (
            {"created": "yesterday"},
            "filter 'created' is a date and cannot be compared with 'yesterday'; give a date such as 2026-01-31 or "
            "2026-01-31T12:00:00Z",
        ),
        ({"public": 0}, "filter 'public' is a boolean and cannot be compared with 0; give true or false"),
        ({"public": {"$exists": "no"}}, "filter 'public' has $exists 'no'; give true or false"),
        ({"version": {"$in": []}}, "filter 'version' has $in with 0 values; give a list of 1 to 100 values"),
        ({"version": {"$in": 1}}, "filter 'version' has $in with 1; give a list of 1 to 100 values"),
        (
            {"version": {"$in": ["x"]}},
            "filter 'version' is a number and cannot be compared with 'x'; give a number",
        ),
    ],
)
def test_a_sentence_names_field_or_operator_and_what_is_known(filter: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        conditions(filter, FIELDS)
    assert str(caught.value) == sentence


def test_texts_and_lists_have_bounds() -> None:
    conditions({"userId": "a" * MAX_TEXT, "version": {"$in": [1] * MAX_ALTERNATIVES}}, FIELDS)
    for filter in ({"userId": "a" * (MAX_TEXT + 1)}, {"version": {"$in": [1] * (MAX_ALTERNATIVES + 1)}}):
        with pytest.raises(InvalidFilter):
            conditions(filter, FIELDS)


@pytest.mark.parametrize(
    ("filter", "is_refused"),
    [
        ({"version": {"$gte": 1}}, True),
        ({"$or": [{"a": 1}]}, True),
        ({"build": {"version": {"$gte": 1}}}, True),
        ({"builds": [{"version": {"$gte": 1}}]}, True),
        ({"version": 1, "tags": ["$a"], "cost": "$gt", "deep": {"a": 1}}, False),
    ],
)
def test_without_declared_fields_an_operator_is_refused(filter: dict[str, Any], is_refused: bool) -> None:
    if is_refused:
        with pytest.raises(InvalidFilter, match="SEARCH_FILTERS"):
            refuse_operators(filter)
    else:
        refuse_operators(filter)


def test_only_what_has_an_order_has_ranges() -> None:
    assert Operator.GREATER not in operators_of(FieldType.BOOLEAN)
    assert all(
        set(operators_of(type)) == set(Operator) for type in FieldType if type is not FieldType.BOOLEAN
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-01", NEW_YEAR),
        ("2026-01-01T00:00", NEW_YEAR),
        ("2026-01-01 00:00:00.000", NEW_YEAR),
        ("2026-01-01T00:00:00Z", NEW_YEAR),
        ("2026-01-01T05:30:00+05:30", NEW_YEAR),
        ("2025-12-31T19:00-05:00", NEW_YEAR),
        ("2026-01-01T00:00:00.25", NEW_YEAR + timedelta(milliseconds=250)),
        ("0001-01-01T00:00+14:00", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))),
        *[
            (text, None)
            for text in (
                *("", "2026", "2026-1-1", "20260101", "2026-02-30", "0000-01-01", "2026-01-01T24:00", "now"),
                *(
                    "2026-01-01T00:00:60Z",
                    "2026-01-01T00:00+15:00",
                    "2026-01-01 ",
                    "２０２６-01-01",
                    "2026-W01-1",
                ),
                *("2026-01-01T00:00:00.1234567", "2026-01-01Z", "2026-01-01T00:00\n"),
            )
        ],
    ],
)
def test_a_date_is_read_as_iso_8601_and_in_utc_without_a_zone(text: str, moment: datetime | None) -> None:
    assert date(text) == moment


@pytest.mark.parametrize("given", [None, 0, 1.5, True, [], {}])
def test_no_other_json_is_a_date(given: Any) -> None:
    assert date(given) is None
