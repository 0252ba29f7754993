"""Reads a filter: what it asks of which field, or the sentence that says why it cannot be asked; pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from articles.filters.fields import MAX_TEXT, Field, FieldType

MAX_ALTERNATIVES = 100
_SHOWN = 60

# ISO 8601 with what both Python and Postgres read alike (articles/migrations/0008 has the same)
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?(?P<zone>Z|[+-](?:0\d|1[0-4]):[0-5]\d)?)?",
    re.ASCII,
)


class InvalidFilter(ValueError):
    """A sentence for the caller: the field or operator, and what is known."""


class Operator(StrEnum):
    EQUAL = "$eq"
    IN = "$in"
    GREATER = "$gt"
    GREATER_OR_EQUAL = "$gte"
    LESS = "$lt"
    LESS_OR_EQUAL = "$lte"
    EXISTS = "$exists"


_UNORDERED = (Operator.EQUAL, Operator.IN, Operator.EXISTS)


def operators_of(type: FieldType) -> tuple[Operator, ...]:
    """What can be asked of a field of this type."""
    return _UNORDERED if type is FieldType.BOOLEAN else tuple(Operator)


@dataclass(frozen=True)
class Condition:
    """One comparison; `value` is of the field's type, a list of such for IN, a bool for EXISTS."""

    field: Field
    operator: Operator
    value: Any


def conditions(filter: Mapping[str, Any], fields: Sequence[Field]) -> list[Condition]:
    """The comparisons that must all hold. Raises InvalidFilter."""
    known = {field.name: field for field in fields}
    return [condition for name, asked in filter.items() for condition in _of_field(name, asked, known)]


def refuse_operators(filter: Mapping[str, Any]) -> None:
    """Raises InvalidFilter if a filter that metadata is to contain has an operator: as a key it would match nothing."""
    for name, asked in filter.items():
        for key in (name, *_keys_inside(asked)):
            if key.startswith("$"):
                where = "" if key is name else f" on '{_cut(name)}'"
                raise InvalidFilter(
                    f"filter has the operator '{_cut(key)}'{where}, but operators need a field with a type: name it "
                    "in the setting SEARCH_FILTERS, for instance version:number"
                )


def _keys_inside(value: Any) -> Iterator[str]:
    """The keys of every object in a value."""
    if isinstance(value, Mapping):
        yield from value
    within = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for inner in within:
        yield from _keys_inside(inner)


def _of_field(name: str, asked: Any, known: Mapping[str, Field]) -> Iterator[Condition]:
    if name not in known:
        what = "operator in place of a field" if name.startswith("$") else "unknown field"
        raise InvalidFilter(f"filter has the {what} '{_cut(name)}'; known fields: {_listed(known.values())}")
    field = known[name]
    if not isinstance(asked, Mapping):
        yield Condition(field, Operator.EQUAL, _value(field, asked))
        return
    if not asked:
        raise InvalidFilter(f"filter '{name}' is an empty object; operators: {_operators(field)}")
    for key, operand in asked.items():
        yield _compared(field, key, operand)


def _compared(field: Field, key: str, operand: Any) -> Condition:
    if key not in operators_of(field.type):
        raise InvalidFilter(
            f"filter '{field.name}' has the unknown operator '{_cut(key)}'; operators of a {field.type}: "
            f"{_operators(field)}"
        )
    operator = Operator(key)
    if operator is Operator.EXISTS:
        if not isinstance(operand, bool):
            raise InvalidFilter(f"filter '{field.name}' has $exists {_quoted(operand)}; give true or false")
        return Condition(field, operator, operand)
    if operator is Operator.IN:
        return Condition(field, operator, _alternatives(field, operand))
    return Condition(field, operator, _value(field, operand))


def _alternatives(field: Field, operand: Any) -> list[Any]:
    if not isinstance(operand, list) or not 1 <= len(operand) <= MAX_ALTERNATIVES:
        given = f"{len(operand):,} values" if isinstance(operand, list) else _quoted(operand)
        raise InvalidFilter(
            f"filter '{field.name}' has $in with {given}; give a list of 1 to {MAX_ALTERNATIVES} values"
        )
    return [_value(field, each) for each in operand]


def _value(field: Field, given: Any) -> Any:
    found = _READERS[field.type](given)
    if found is None:
        hint = '; to find articles without it: {"$exists": false}' if given is None else ""
        raise InvalidFilter(
            f"filter '{field.name}' is a {field.type} and cannot be compared with {_quoted(given)}; give "
            f"{_EXPECTED[field.type]}{hint}"
        )
    return found


def _text(given: Any) -> str | None:
    return given if isinstance(given, str) and len(given) <= MAX_TEXT else None


def _number(given: Any) -> Decimal | None:
    # a bool is an int to Python
    return Decimal(repr(given)) if isinstance(given, int | float) and not isinstance(given, bool) else None


def _boolean(given: Any) -> bool | None:
    return given if isinstance(given, bool) else None


def date(given: Any) -> datetime | None:
    """The moment that a text names; a date is its first moment, and without a zone it is UTC. None: not a date."""
    match = _DATE.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        return None
    try:
        found = datetime.fromisoformat(match.group())
    except ValueError:  # 30 February, year 0
        return None
    return found if match["zone"] else found.replace(tzinfo=UTC)


_READERS: dict[FieldType, Callable[[Any], Any]] = {
    FieldType.STRING: _text,
    FieldType.NUMBER: _number,
    FieldType.DATE: date,
    FieldType.BOOLEAN: _boolean,
}
_EXPECTED = {
    FieldType.STRING: f"a text of at most {MAX_TEXT} characters",
    FieldType.NUMBER: "a number",
    FieldType.DATE: "a date such as 2026-01-31 or 2026-01-31T12:00:00Z",
    FieldType.BOOLEAN: "true or false",
}


def _listed(fields: Iterable[Field]) -> str:
    return ", ".join(map(str, fields))


def _operators(field: Field) -> str:
    return ", ".join(operators_of(field.type))


def _quoted(value: Any) -> str:
    words = {None: "null", True: "true", False: "false"}
    is_word = value is None or isinstance(value, bool)
    return words[value] if is_word else _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
