"""Filters evaluated in Python, to compare the database with: written from the documentation, not from the SQL."""

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from articles.filters.fields import Field, FieldType
from articles.filters.parse import date

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def fits(metadata: Mapping[str, Any], filter: Mapping[str, Any], fields: Mapping[str, Field]) -> bool:
    """Whether an article with this metadata is kept."""
    return all(_field_fits(metadata.get(name), asked, fields[name].type) for name, asked in filter.items())


def _field_fits(held: Any, asked: Any, type: FieldType) -> bool:
    value = typed(held, type)
    if not isinstance(asked, dict):
        return bool(value is not None and value == typed(asked, type))
    return all(_holds(value, name, operand, type) for name, operand in asked.items())


def _holds(value: Any, name: str, operand: Any, type: FieldType) -> bool:
    if name == "$exists":
        return bool((value is not None) == operand)
    if value is None:
        return False
    if name == "$in":
        return value in [typed(each, type) for each in operand]
    return _ORDER[name](value, typed(operand, type))


def typed(held: Any, type: FieldType) -> Any:
    """The value if it is of the type, else None."""
    if type is FieldType.DATE:
        return date(held)
    if type is FieldType.BOOLEAN:
        return held if isinstance(held, bool) else None
    if type is FieldType.NUMBER:
        is_number = isinstance(held, int | float) and not isinstance(held, bool)
        return Decimal(repr(held)) if is_number else None
    # by code points, as UTF-8 sorts
    return held if isinstance(held, str) else None
