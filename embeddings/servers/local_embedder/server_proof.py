"""How the server on a TCP port proves to a client that it holds the installation's secret, without showing it.

The client sends a number used once (nonce); the server returns an HMAC (RFC 2104) of it and of the address that it
listens on, so that a program on another port cannot pass the question on to the real server.
"""

import hmac
import re
import secrets

PATH = "/v1/proof"
MIN_SECRET_LENGTH = 32
"""Minimum length of a secret."""

_NONCE = re.compile("[0-9a-f]{64}")


def token(secret: str) -> str:
    """What a client sends in place of the secret: 64 hexadecimal digits."""
    return hmac.new(secret.encode(), b"vectorpress embedder client", "sha256").hexdigest()


def new_nonce() -> str:
    """64 hexadecimal digits that were never used before."""
    return secrets.token_hex(32)


def of(secret: str, address: str, nonce: str) -> str:
    """The proof for `nonce` by the server at `address` ("127.0.0.1:18000"), in 64 hexadecimal digits."""
    words = f"vectorpress embedder\n{address}\n{nonce}"
    return hmac.new(secret.encode(), words.encode(), "sha256").hexdigest()


def is_nonce(text: str) -> bool:
    """Whether this is a nonce as `new_nonce` makes them."""
    return _NONCE.fullmatch(text) is not None


def matches(given: str, expected: str) -> bool:
    """Compares two secrets in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode(errors="replace"))
