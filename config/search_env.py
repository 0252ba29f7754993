"""Reader of the setting for search filters."""

from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured

from articles.filters.fields import MAX_FIELDS, MAX_NAME, NAME, Field, FieldType
from config import env, env_source

_TYPES = ", ".join(FieldType)
_MAY_HOLD = f"NAME:TYPE,NAME:TYPE, for instance userId:string,created:date; types: {_TYPES}"


def fields(name: str) -> tuple[Field, ...]:
    """userId:string,version:number: metadata fields with their types; empty if none is declared."""
    return env.parsed(name, "", lambda value: _fields(name, value), _in_words)


def _fields(name: str, value: str) -> tuple[Field, ...]:
    found = tuple(_field(name, part.strip()) for part in value.split(",") if part.strip())
    names = [field.name for field in found]
    if twice := next((each for each in names if names.count(each) > 1), None):
        raise _refused(name, f"declares '{twice}' twice")
    if len(found) > MAX_FIELDS:
        raise _refused(name, f"declares {len(found)} fields; {MAX_FIELDS} are possible")
    return found


def _field(name: str, part: str) -> Field:
    key, _, type = (piece.strip() for piece in part.rpartition(":"))
    if type not in FieldType:
        raise _refused(name, f"holds {part[:100]!r}")
    if not NAME.fullmatch(key) or len(key) > MAX_NAME:
        raise _refused(
            name,
            f"names the field {key[:100]!r}; names have ASCII letters, digits, _ . - and begin with a letter or _",
        )
    return Field(key, FieldType(type))


def _refused(name: str, fault: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{env_source.place(name)} {fault}; it may hold {_MAY_HOLD}.")


def _in_words(found: Sequence[Field]) -> str:
    return ",".join(f"{field.name}:{field.type}" for field in found)
