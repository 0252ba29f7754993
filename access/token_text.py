"""The text of an API token: its form, how one is made, and what is kept of it. Pure, without Django."""

import hashlib
import re
import secrets
from typing import NamedTuple

# vp_, 8 hexadecimal digits to find the row by, 256 random bits; ASCII only, so nothing else reaches the database
_FORM = re.compile(r"vp_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
PREFIX_LENGTH = 8
# AUTH_TOKEN may be any text from this length on (config/env.py); shorter texts are not looked up.
SHORTEST_OWN_TEXT = 32


class Fingerprint(NamedTuple):
    """The stored form of a token: the characters that identify its row, and the SHA-256 of its secret."""

    prefix: str
    secret_hash: str


def make() -> str:
    """A new token."""
    return f"vp_{secrets.token_hex(PREFIX_LENGTH // 2)}_{secrets.token_urlsafe(32)}"


def fingerprint(text: str) -> Fingerprint | None:
    """The fingerprint of a text, or None where it cannot be a token.

    A text of an operator's own has no prefix: its row is found by the first digits of its hash.
    """
    if parts := _FORM.fullmatch(text):
        return Fingerprint(parts[1], digest(parts[2]).hex())
    if len(text) < SHORTEST_OWN_TEXT:
        return None
    whole = digest(text).hex()
    return Fingerprint(whole[:PREFIX_LENGTH], whole)


def digest(text: str) -> bytes:
    """The SHA-256 of a text. A fast hash is right here: the secret has 256 random bits, so it cannot be guessed."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
