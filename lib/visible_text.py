"""Shows what foreign text hides: characters that move the cursor, turn the direction of writing, or cannot be seen."""

import re
import unicodedata

# Controls, marks and overrides of direction, zero-width characters, line and paragraph separators, fillers, variation
# selectors, tags, half characters. Source: Unicode's Default_Ignorable_Code_Point, with Cc, Zl, Zp and Cs added.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001345f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_LINE_ENDS = re.compile("[\t\n\r]+")
# Persian, the scripts of India and emoji need these between their characters.
_JOINERS = frozenset("\u200c\u200d\ufe0e\ufe0f")
_JOINED = frozenset({"Lo", "Mn", "Mc", "So", "Sk"})


def visible(text: str) -> str:
    """The text with each hidden character written out, as in "\\u202e"; for terminals and logs."""
    return _HIDDEN.sub(_written_out, text)


def one_line(text: str) -> str:
    """As `visible`, with a blank for each run of tabs and line ends."""
    return visible(_LINE_ENDS.sub(" ", text))


def readable(text: str) -> str:
    """As `one_line`, for pages: joiners and variation selectors stay where the script before them may need them."""
    return _HIDDEN.sub(_unless_it_joins, _LINE_ENDS.sub(" ", text))


def _written_out(match: re.Match[str]) -> str:
    number = ord(match.group())
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _unless_it_joins(match: re.Match[str]) -> str:
    before = match.string[match.start() - 1 : match.start()]
    joins = match.group() in _JOINERS and before and unicodedata.category(before) in _JOINED
    return match.group() if joins and not _HIDDEN.match(before) else _written_out(match)
