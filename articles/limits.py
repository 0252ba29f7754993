"""Bounds of an article's size and characters: the same for the API, the admin and imports."""

import json
import re
import unicodedata
from typing import Any

from django.core.exceptions import ValidationError

from lib.nfc import equal_key

MAX_TITLE = 300
MAX_CONTENT = 1_000_000
MAX_SLUG = 200
MAX_METADATA_BYTES = 16_384
MAX_METADATA_DEPTH = 32
MAX_AUTHOR = 150
MAX_SOURCE = 200
MAX_PATH = 500
# Words used in addresses in place of slugs.
RESERVED_SLUGS = frozenset({"export"})

# Postgres refuses NUL, UTF-8 has no lone surrogates, and a title is one line.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")

# The range that every JSON reader supports: signed and unsigned 64 bits.
_LEAST_INTEGER, _GREATEST_INTEGER = -(2**63), 2**64 - 1


def check_title(title: str) -> None:
    """Raises ValidationError with a sentence when the title cannot be kept."""
    if not title.strip():
        raise ValidationError("title is empty; give the article a name")
    if len(title) > MAX_TITLE:
        raise ValidationError(f"title is longer than {MAX_TITLE} characters (it has {len(title):,})")
    if found := _UNPRINTABLE.search(title):
        raise ValidationError(
            f"title holds the character {found.group()!a}, which a one-line text cannot hold"
        )


def check_content(content: str) -> None:
    """Raises ValidationError with a sentence when the content cannot be kept; empty content is fine."""
    if len(content) > MAX_CONTENT:
        raise ValidationError(f"content is longer than {MAX_CONTENT:,} characters (it has {len(content):,})")
    if found := _UNSTORABLE.search(content):
        raise ValidationError(
            f"content holds the character {found.group()!a}, which the database cannot store"
        )


def check_entry(name: str, value: str, most: int) -> None:
    """Raises ValidationError with a sentence unless the value can name an import's source or an entry of it."""
    if len(value) > most:
        raise ValidationError(f"{name} is longer than {most} characters (it has {len(value):,})")
    if found := _UNPRINTABLE.search(value):
        raise ValidationError(f"{name} holds the character {found.group()!a}, which a name cannot hold")


def check_metadata(metadata: Any) -> None:
    """Raises ValidationError with a sentence if the metadata is not a JSON object within the bounds."""
    check_json_object("metadata", metadata, MAX_METADATA_BYTES)


def check_json_object(name: str, value: Any, max_bytes: int) -> None:
    """Raises ValidationError with a sentence unless the value is an object that the database's JSON can hold, of at
    most `max_bytes` bytes of UTF-8; `name` is what the sentence calls it."""
    if not isinstance(value, dict):
        raise ValidationError(f"{name} is {type(value).__name__}; it must be a JSON object")
    if not value:
        return
    try:
        size = len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except (
        ValueError,
        TypeError,
        RecursionError,
    ) as error:  # NaN, lone surrogates, foreign types, deep nesting
        raise ValidationError(f"{name} holds a value that JSON in UTF-8 cannot carry") from error
    if size > max_bytes:
        raise ValidationError(f"{name} is larger than {max_bytes:,} bytes (it has {size:,})")
    _check_inside(name, value)


def _check_inside(name: str, value: dict[str, Any]) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_METADATA_DEPTH):
        level = [inner for outer in level for inner in _checked_parts(name, outer)]
        if not level:
            return
    raise ValidationError(f"{name} is nested deeper than {MAX_METADATA_DEPTH} levels")


def _checked_parts(name: str, value: Any) -> list[Any]:
    """The keys and values inside a value; none in a scalar. Raises ValidationError for a scalar we cannot keep."""
    if isinstance(value, dict):
        if (key := equal_key(filter(lambda key: isinstance(key, str), value))) is not None:
            raise ValidationError(f"{name} holds the key {key!r} twice, in different Unicode forms; keep one")
        return [*value, *value.values()]
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str) and "\x00" in value:
        raise ValidationError(f"{name} holds the character '\\x00', which the database cannot store")
    # JSON of the database reads 1e300 back as a whole number of 301 digits.
    if isinstance(value, int | float) and not _LEAST_INTEGER <= value <= _GREATEST_INTEGER:
        raise ValidationError(f"{name} holds a number of more than 64 bits; write it as text")
    return []


def is_slug_character(character: str) -> bool:
    """A letter that is not a capital, a mark on a letter, or a digit, of any script."""
    category = unicodedata.category(character)
    return category in {"Ll", "Lo", "Lm"} or category[0] in "MN"


# The same rule for readers of JSON Schema.
SLUG_PATTERN = r"^[\p{Ll}\p{Lo}\p{Lm}\p{M}\p{N}]+(-[\p{Ll}\p{Lo}\p{Lm}\p{M}\p{N}]+)*$"


def check_slug(slug: str) -> None:
    """Raises ValidationError with a sentence unless the slug is lower-case words joined by single hyphens."""
    if not slug or len(slug) > MAX_SLUG:
        raise ValidationError(f"slug must have 1 to {MAX_SLUG} characters (it has {len(slug):,})")
    if not all(word and all(map(is_slug_character, word)) for word in slug.split("-")):
        raise ValidationError(
            f"slug {slug!a} must be lower-case letters and digits of any script, joined by '-'"
        )
    if slug in RESERVED_SLUGS:
        raise ValidationError(f"slug '{slug}' has another meaning in addresses; choose another one")
