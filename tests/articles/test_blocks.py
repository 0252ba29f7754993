"""Texts taken apart for a page; nothing in them becomes markup."""

import pytest

from articles.blocks import Block, blocks, pieces, plain

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


def test_a_text_of_many_lines_takes_linear_time():
    assert len(blocks("word\n\n" * 50_000)) == 50_000


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
