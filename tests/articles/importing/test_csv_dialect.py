"""Where quotes open and close, and how the separator is named."""

import pytest

from articles.importing.csv_dialect import Dialect, quoted_after, separator_of


@pytest.mark.parametrize(
    ("line", "quoted", "expected"),
    [
        (b"", False, False),
        (b"", True, True),
        (b'"', False, True),
        (b'""', False, False),
        (b'"a""', False, True),
        (b'a"', True, False),
        (b'a""', True, True),
        (b'5" disk,x', False, False),
        (b'x,"', False, True),
        (b'","', True, True),
        (b'"a"b"c,"d', False, True),
    ],
)
def test_it_is_known_at_each_line_end_whether_a_quote_is_open(
    line: bytes, quoted: bool, expected: bool
) -> None:
    assert quoted_after(line, b",", quoted) is expected


@pytest.mark.parametrize(
    ("line", "quoted", "expected"),
    [
        (b'a, "b', False, True),
        (b'a,   "b"', False, False),
        (b'  "a', False, True),
        (b'a, ""b"', True, False),
        (b'a b "c', False, False),
    ],
)
def test_blanks_after_a_separator_open_no_cell(line: bytes, quoted: bool, expected: bool) -> None:
    assert Dialect(",", is_spaced=True).quoted_after(line, quoted) is expected


@pytest.mark.parametrize(
    ("line", "separator"),
    [
        ("sep=;", ";"), ("SEP=,", ","), ('"sep=;"', ";"), ("sep=|;;;", "|"), ("sep=\t", "\t"),
        ("sep=", None), ("sep=a", None), ("title;sep=;", None), ("sep=;;x", None), ('sep="', None),
    ],
)  # fmt: skip
def test_the_first_line_may_name_the_separator(line: str, separator: str | None) -> None:
    assert separator_of(line) == separator
