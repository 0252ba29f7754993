"""How large an article may be, and which characters it may hold: one rule for the API, the admin and imports."""

import json
import re
from typing import Any

from django.core.exceptions import ValidationError

MAX_TITLE = 300
MAX_CONTENT = 1_000_000
MAX_SLUG = 200
MAX_METADATA_BYTES = 16_384
MAX_AUTHOR = 150

# Postgres refuses NUL, UTF-8 has no lone surrogates, and a title is one line.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def check_title(title: str) -> None:
    """Raises ValidationError with a sentence when the title cannot be kept."""
    if not title.strip():
        raise ValidationError("title is empty; give the article a name")
    if len(title) > MAX_TITLE:
        raise ValidationError(f"title is longer than {MAX_TITLE} characters (it has {len(title):,})")
    if found := _UNPRINTABLE.search(title):
        raise ValidationError(f"title holds the character {found.group()!a}, which a one-line text cannot hold")


def check_content(content: str) -> None:
    """Raises ValidationError with a sentence when the content cannot be kept; empty content is fine."""
    if len(content) > MAX_CONTENT:
        raise ValidationError(f"content is longer than {MAX_CONTENT:,} characters (it has {len(content):,})")
    if found := _UNSTORABLE.search(content):
        raise ValidationError(f"content holds the character {found.group()!a}, which the database cannot store")


def check_metadata(metadata: Any) -> None:
    """Raises ValidationError with a sentence when the metadata is no JSON object of a bearable size."""
    if not isinstance(metadata, dict):
        raise ValidationError(f"metadata is {type(metadata).__name__}; it must be a JSON object")
    try:
        encoded = json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as error:  # NaN, lone surrogates, foreign types, deep nesting
        raise ValidationError("metadata holds a value that JSON in UTF-8 cannot carry") from error
    if len(encoded) > MAX_METADATA_BYTES:
        raise ValidationError(f"metadata is larger than {MAX_METADATA_BYTES:,} bytes (it has {len(encoded):,})")
    if b"\\u0000" in encoded:
        raise ValidationError("metadata holds the character '\\x00', which the database cannot store")


def check_slug(slug: str) -> None:
    """Raises ValidationError with a sentence unless the slug is lower-case words joined by single hyphens."""
    if not slug or len(slug) > MAX_SLUG:
        raise ValidationError(f"slug must have 1 to {MAX_SLUG} characters (it has {len(slug):,})")
    if not re.fullmatch(r"[^\W_]\w*(?:-\w+)*", slug) or slug != slug.lower():
        raise ValidationError(f"slug {slug!a} must be lower-case letters and digits of any script, joined by '-'")
