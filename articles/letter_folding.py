"""How keyword search reads letters: without accents, wide forms and ligatures; and which scripts have no spaces.

The same as `articles_words` in the database (articles/migrations), which reads texts; a test compares the two.
"""

import re
import unicodedata

# Punctuation, symbols and spaces beyond ASCII; all else beyond ASCII counts as a letter.
_SEPARATORS = (
    "\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u02c2-\u02df\u2000-\u2bff\u2e00-\u2e7f"
    "\u3000-\u3004\u3008-\u3020\u3030\u303d\u30fb\ufe10-\ufe6f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
    "\ufff0-\uffff\U0001f000-\U0001faff"
)
# Scripts that are written without spaces between words, and Hangul, whose words carry their endings: Thai, Lao,
# Burmese, Khmer, Kana, Han, Hangul.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3021-\u302f\u3031-\u30fa\u30fc-\u318f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
_SEPARATOR = re.compile(f"[{_SEPARATORS}]+")
_MARKS = re.compile("[\u0300-\u036f]+")
_LETTERS = str.maketrans(
    {
        **dict(zip("øØłŁđĐħĦıς", "oOlLdDhHiσ", strict=True)),
        "ß": "ss",
        "ẞ": "ss",
        "æ": "ae",
        "Æ": "AE",
        "œ": "oe",
        "Œ": "OE",
    }
)


def fold(text: str) -> str:
    """A text of bounded length as keyword search compares it, capitals kept: without accents, in compatibility forms,
    with blanks for punctuation beyond ASCII."""
    if text.isascii():
        return text
    text = _SEPARATOR.sub(" ", text)
    without_marks = _MARKS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFC", without_marks.translate(_LETTERS))
