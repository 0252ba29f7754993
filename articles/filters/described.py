"""The filter for readers of the API's document; pure."""

from collections.abc import Sequence
from typing import Any

from articles.filters.fields import MAX_TEXT, Field, FieldType
from articles.filters.parse import MAX_ALTERNATIVES, Operator, operators_of

_VALUES: dict[FieldType, dict[str, Any]] = {
    FieldType.STRING: {"type": "string", "maxLength": MAX_TEXT, "pattern": r"^[^\u0000]*$"},
    FieldType.NUMBER: {"type": "number", "minimum": -(2**63), "maximum": 2**64 - 1},
    FieldType.DATE: {"type": "string", "description": "ISO 8601; UTC without a zone"},
    FieldType.BOOLEAN: {"type": "boolean"},
}


def filters_in_words(fields: Sequence[Field]) -> str:
    """What a filter asks of the metadata, as the end of a sentence."""
    if not fields:
        return "contains this object"
    return (
        "fits all conditions: a value, or an object of operators such as {'$gte': 1}, for each of the fields "
        + ", ".join(map(str, fields))
    )


def filter_schema(fields: Sequence[Field]) -> dict[str, Any]:
    """The JSON Schema of a filter; open if no field is declared."""
    if not fields:
        return {}
    return {"properties": {field.name: _of_field(field) for field in fields}, "additionalProperties": False}


def _of_field(field: Field) -> dict[str, Any]:
    value = _VALUES[field.type]
    operands: dict[Operator, Any] = {
        Operator.IN: {"type": "array", "items": value, "minItems": 1, "maxItems": MAX_ALTERNATIVES},
        Operator.EXISTS: {"type": "boolean"},
    }
    operators = {str(operator): operands.get(operator, value) for operator in operators_of(field.type)}
    return {
        "anyOf": [
            value,
            {"type": "object", "properties": operators, "additionalProperties": False, "minProperties": 1},
        ]
    }
