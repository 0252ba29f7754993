"""Nothing that foreign text hides stays hidden; what people can read stays as it is."""

import sys
import unicodedata

import pytest

from lib.visible_text import one_line, readable, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a\\u202eb"),
        ("a\u200bb\u2060\ufeff", "a\\u200bb\\u2060\\ufeff"),
        ("\x1b[31m\x07\x9b", "\\x1b[31m\\x07\\x9b"),
        ("\u2066x\u2069\u061c\u200e\u200f", "\\u2066x\\u2069\\u061c\\u200e\\u200f"),
        ("soft\xadhyphen", "soft\\xadhyphen"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("\u3164\u115f\uffa0\u034f\ud800", "\\u3164\\u115f\\uffa0\\u034f\\ud800"),
        ("line\u2028end\u2029", "line\\u2028end\\u2029"),
        ("a\nb", "a\\x0ab"),
        ("Größe 日本語 مقالة שלום नमस्ते 😀 — «»", "Größe 日本語 مقالة שלום नमस्ते 😀 — «»"),
    ],
)
def test_hidden_characters_are_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_of_all_controls_and_formats_only_the_signs_that_are_seen_are_left() -> None:
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    left = [
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(character) in hidden and visible(character) == character
    ]
    names = {unicodedata.name(character) for character in left}
    assert all(
        "NUMBER" in name or "SIGN" in name or "END OF AYAH" in name or "MARK" in name for name in names
    )
    assert len(left) < 16


def test_a_line_stays_one_line() -> None:
    assert one_line("a\r\n\tb\x0bc") == "a b\\x0bc"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष", "क्\u200dष"),
        ("👩\u200d🔬 ❤\ufe0f", "👩\u200d🔬 ❤\ufe0f"),
        ("pay\u200cpal\ufe0f", "pay\\u200cpal\\ufe0f"),
        ("\u200dx", "\\u200dx"),
        ("می\u200c\u200c\u200c", "می\u200c\\u200c\\u200c"),
        ("می\u202e", "می\\u202e"),
        ("a\n\u200bb", "a \\u200bb"),
    ],
)
def test_a_page_keeps_the_joiners_that_a_script_needs(text: str, shown: str) -> None:
    assert readable(text) == shown
