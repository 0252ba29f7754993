"""Turns titles of any script into slugs."""

import re
import secrets
import unicodedata

from articles.limits import MAX_SLUG, MAX_TITLE, RESERVED_SLUGS, is_slug_character

_ROOM_FOR_SUFFIX = 12
_NUMBERED = 9
_ENDINGS = re.compile(r"(?:/index)?\.(?:html?|md|markdown)\Z", re.IGNORECASE)
_ASCII_WORDS = re.compile("[a-z0-9]+")
_APOSTROPHES = re.compile("['’ʼ]")


def slug_from(title: str) -> str:
    """A slug of the title's own letters; "article" when it has none (emoji, punctuation)."""
    text = _APOSTROPHES.sub("", _folded(title[:MAX_TITLE]))  # to sort many marks on one letter takes long
    slug = "-".join(_words(text))[: MAX_SLUG - _ROOM_FOR_SUFFIX].strip("-") or "article"
    return f"{slug}-article" if slug in RESERVED_SLUGS else slug


def _words(text: str) -> list[str]:
    """The runs of characters that a slug may hold; to look each up would cost an English title as much as its check."""
    if text.isascii():
        return _ASCII_WORDS.findall(text)
    return "".join(letter if is_slug_character(letter) else " " for letter in text).split()


def joined(slug: str, ending: str) -> str:
    """The two as one slug; the first is cut where both are too long."""
    ending = ending[: MAX_SLUG // 2].strip("-")
    return f"{slug[: MAX_SLUG - 1 - len(ending)].strip('-')}-{ending}"


def from_address(address: str) -> str:
    """The slug of an address or a path that an author gave ("/Docs/My_Page.html": docs-my-page); empty where it has no
    letters of its own: a template (":year/:title"), an address elsewhere, the root."""
    if ":" in address:
        return ""
    path = _ENDINGS.sub("", address.strip().rstrip("/"))
    return slug_from(path) if any(map(is_slug_character, _folded(path[:MAX_TITLE]))) else ""


def _folded(title: str) -> str:
    # composed after lower-casing, which takes letters apart; wide and bold forms become capitals, hence twice
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", title).lower()).lower()
    return folded.replace("i\u0307", "i")  # the small letter of İ


def candidates(title: str) -> list[str]:
    """base, base-2 … base-9, then one with a random end, so that ten thousand equal titles cost no search."""
    base = slug_from(title)
    numbered = [f"{base}-{number}" for number in range(2, _NUMBERED + 1)]
    return [base, *numbered, f"{base}-{secrets.token_hex(4)}"]
