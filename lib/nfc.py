"""Texts in Unicode's composed form (NFC), so that the same letters are the same characters everywhere."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

# Composing sorts the marks on a letter, which takes time that grows with the square of their number: so the text goes
# in pieces that end before a character that never composes with the one before it, or, where there is none, anywhere.
_PIECE = re.compile(r"(?s).{1,512}[^\x00-\x7f\u3041-\u3098\u309b-\u30ff\u4e00-\u9fff]{0,256}")


def nfc(text: str) -> str:
    """The text with each letter composed where Unicode has one character for it; in linear time."""
    if text.isascii():
        return text
    return "".join(unicodedata.normalize("NFC", piece) for piece in _PIECE.findall(text))


def nfc_json(value: Any) -> Any:
    """A JSON value with its texts and keys composed. Of two keys that become equal the later one is kept:
    `equal_key` finds such a pair beforehand."""
    if isinstance(value, str):
        return nfc(value)
    if isinstance(value, dict):
        return {nfc(key) if isinstance(key, str) else key: nfc_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [nfc_json(item) for item in value]
    return value


def equal_key(keys: Iterator[str]) -> str | None:
    """The first key that is another one in other code points; None if there is none."""
    met: set[str] = set()
    for key in map(nfc, keys):
        if key in met:
            return key
        met.add(key)
    return None
