"""What a program or an archive says becomes one short line that no terminal obeys."""

import pytest

from config.backups.errors import printable


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("", ""),
        ("plain", "plain"),
        ("two\nlines\r\n", "two lines"),
        ("  wide \t spaces  ", "wide spaces"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("a\u202eb\u2066c", "a b c"),
        ("\x00\x07\x9b", ""),
        ("grün 日本", "grün 日本"),
        ("no\u00a0break", "no break"),
    ],
)
def test_what_a_terminal_would_obey_is_a_space(said: str, line: str) -> None:
    assert printable(said) == line


def test_a_message_of_any_length_is_cut() -> None:
    assert printable("x" * 401) == "x" * 400
    assert len(printable("word " * 10_000)) == 400
