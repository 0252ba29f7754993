"""Turns titles of any script into slugs and finds one that is free."""

import re
import secrets
from collections.abc import Callable, Iterable, Sequence

from django.utils.text import slugify

from articles.bounds import MAX_SLUG

_ROOM_FOR_SUFFIX = 12
_NUMBERED = 9


def slug_from(title: str) -> str:
    """A slug of the title's own letters; "article" when it has none (emoji, punctuation)."""
    words = re.sub(r"[_\W]+", "-", slugify(title, allow_unicode=True)).strip("-").lower()
    return words[: MAX_SLUG - _ROOM_FOR_SUFFIX].strip("-") or "article"


def candidates(title: str) -> list[str]:
    """base, base-2 … base-9, then one with a random end, so that ten thousand equal titles cost no search."""
    base = slug_from(title)
    numbered = [f"{base}-{number}" for number in range(2, _NUMBERED + 1)]
    return [base, *numbered, f"{base}-{secrets.token_hex(4)}"]


def free_slug(title: str, taken_of: Callable[[Sequence[str]], Iterable[str]]) -> str:
    """The first free slug for a title; `taken_of(slugs)` answers which of them are taken."""
    wanted = candidates(title)
    taken = set(taken_of(wanted))
    return next(slug for slug in wanted if slug not in taken)
