"""Texts taken apart for a page; nothing in them becomes markup."""

import pytest

from articles.blocks import MOST_LINES, MOST_MARKS, Block, blocks, heading_of, pieces, plain
from articles.bounds import MAX_CONTENT

CASES = [
    ("", []),
    ("\n \n", []),
    ("One line.", [("paragraph", ["One line."])]),
    ("Two\nlines.\n\nAnother.", [("paragraph", ["Two", "lines."]), ("paragraph", ["Another."])]),
    ("## Classes ##\ntext", [("heading", ["Classes"]), ("paragraph", ["text"])]),
    ("#hashtag", [("paragraph", ["#hashtag"])]),
    ("- one\n- two\n  goes on\n\nafter", [("list", ["one", "two goes on"]), ("paragraph", ["after"])]),
    ("before\n* item", [("paragraph", ["before"]), ("list", ["item"])]),
    ("```python\nif x:\n    y\n```\nend", [("code", ["if x:", "    y"]), ("paragraph", ["end"])]),
    ("```\nnever closed", [("code", ["never closed"])]),
    ("    a = 1\n\n    b = 2\n\nend", [("code", ["a = 1", "", "b = 2"]), ("paragraph", ["end"])]),
    ("- item\n# Heading", [("list", ["item"]), ("heading", ["Heading"])]),
    ("<script>alert(1)</script>", [("paragraph", ["<script>alert(1)</script>"])]),
]


@pytest.mark.parametrize(("content", "expected"), CASES)
def test_a_text_is_taken_apart(content, expected):
    assert blocks(content) == [Block(kind, tuple(lines)) for kind, lines in expected]


def test_no_line_of_a_text_is_lost():
    content = "# A\n\nb\n- c\n\n    d\n```\ne\n```\nf `g` h"
    shown = " ".join(block.text for block in blocks(content))
    assert [letter for letter in "Abcdefgh" if letter not in shown] == []


def test_the_end_of_a_very_long_text_is_shown_as_it_was_written():
    found = blocks("word\n" * MOST_LINES + "# no heading\n")
    assert (len(found), found[-1]) == (2, Block("code", ("# no heading",)))
    assert blocks("a `b` c\n" * MOST_MARKS)[-1].lines[-1] == "a `b` c"


@pytest.mark.parametrize("line", ["word\n", "- item\n", "`a` ", "# h\n", "- a\n" + "b\n" * 99, " \t"])
def test_a_page_of_the_longest_text_shows_a_bounded_number_of_pieces(line):
    content = (line * (MAX_CONTENT // len(line) + 1))[:MAX_CONTENT]
    shown = [block for block in blocks(content) if block.kind != "code"]
    assert sum(len(line) for block in shown for line in block.pieces) <= MOST_LINES + 2 * MOST_MARKS


@pytest.mark.parametrize(
    ("line", "heading"),
    [("# A", (1, "A")), ("###### A b ##", (6, "A b")), ("#\tA#", (1, "A")), ("####### A", None), ("#A", None),
     ("# ", None), ("#", None), ("", None), (" # A", None)],
)  # fmt: skip
def test_a_heading_is_told_from_other_lines(line, heading):
    assert heading_of(line) == heading


def test_code_in_a_line_is_told_apart():
    assert [(piece.text, piece.is_code) for piece in pieces("`a` and `b`, not `")] == [
        ("a", True),
        (" and ", False),
        ("b", True),
        (", not `", False),
    ]


def test_an_excerpt_loses_its_marks_but_not_its_words():
    assert (
        plain("## Classes\n\n- `Path`: a path\n- `ZipFile`: a file\nend")
        == "Classes · Path: a path · ZipFile: a file end"
    )
