"""Texts read as Markdown for a page; nothing in them becomes markup."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.template.loader import render_to_string

from articles.limits import MAX_CONTENT
from articles.pages.markdown_blocks import (
    MOST_LINES,
    MOST_MARKS,
    Block,
    Piece,
    blocks,
    heading_of,
    is_safe_link,
    plain,
)


def outline(found: Sequence[Block]) -> list[tuple[Any, ...]]:
    """Blocks as nested tuples: the kind, then the text or what the block holds."""
    return [
        (block.kind, *outline(block.blocks)) if block.blocks else (block.kind, block.text) for block in found
    ]


CASES = [
    ("", []),
    ("\n \n", []),
    ("One line.", [("paragraph", "One line.")]),
    ("Two\nlines.\n\nAnother.", [("paragraph", "Two\nlines."), ("paragraph", "Another.")]),
    ("## Classes ##\ntext", [("heading", "Classes"), ("paragraph", "text")]),
    ("Title\n=====\ntext", [("heading", "Title"), ("paragraph", "text")]),
    ("#hashtag", [("paragraph", "#hashtag")]),
    ("before\n* item", [("paragraph", "before"), ("bullets", ("item", ("text", "item")))]),
    ("- one\n  goes on\n- two", [("bullets", ("item", ("text", "one\ngoes on")), ("item", ("text", "two")))]),
    ("- a\n  - b", [("bullets", ("item", ("text", "a"), ("bullets", ("item", ("text", "b")))))]),
    ("3. a\n4. b", [("numbers", ("item", ("text", "a")), ("item", ("text", "b")))]),
    ("> a\n>\n> b", [("quote", ("paragraph", "a"), ("paragraph", "b"))]),
    ("|a|b|\n|-|-|\n|1|2|", [("table", ("row", ("head", "a"), ("head", "b")), ("row", ("cell", "1"), ("cell", "2")))]),
    ("a\n\n---\n\nb", [("paragraph", "a"), ("rule", ""), ("paragraph", "b")]),
    ("```python\nif x:\n    y\n```\nend", [("code", "if x:\n    y"), ("paragraph", "end")]),
    ("```\nnever closed", [("code", "never closed")]),
    ("    a = 1\n\n    b = 2\n\nend", [("code", "a = 1\n\nb = 2"), ("paragraph", "end")]),
    ("<script>alert(1)</script>", [("paragraph", "<script>alert(1)</script>")]),
]  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), CASES)
def test_a_text_is_read_as_markdown(
    content: str,
    expected: list[tuple[str | tuple[str | tuple[str, str | tuple[str, tuple[str, str]]], ...], ...]],
) -> None:
    assert outline(blocks(content)) == expected


def test_a_numbered_list_starts_where_the_text_says() -> None:
    assert [block.number for block in blocks("0. a\n\ntext\n\n7. b") if block.kind == "numbers"] == [0, 7]


def test_a_line_is_cut_where_its_look_changes() -> None:
    assert blocks("a `b` **c *d*** [e](https://x.example) ![f](/g.png)")[0].pieces == (
        Piece("a "),
        Piece("b", is_code=True),
        Piece(" "),
        Piece("c ", is_strong=True),
        Piece("d", is_strong=True, is_emphasized=True),
        Piece(" "),
        Piece("e", href="https://x.example"),
        Piece(" "),
        Piece("f", href="/g.png"),
    )


@pytest.mark.parametrize(
    ("href", "is_safe"),
    [("https://a.example/b:c", True), ("HTTP://a.example", True), ("mailto:a@b.example", True), ("/a:b", True),
     ("#a:b", True), ("?a:b", True), ("a/b", True), ("javascript:alert(1)", False), ("JavaScript:alert(1)", False),
     ("data:text/html,a", False), ("vbscript:a", False), (" javascript:a", False), ("file:///etc/passwd", False),
     ("java\nscript:a", False), ("a:b", False), ("", True)],
)  # fmt: skip
def test_a_page_links_only_where_a_link_does_no_harm(href: str, is_safe: bool) -> None:
    assert is_safe_link(href) is is_safe


@pytest.mark.parametrize(
    "content",
    ["[a](javascript:x)", "[a](<java&#10;script:x>)", "[a](&#106;avascript:x)", "<javascript:x>",
     "[a]\n\n[a]: javascript:x", "![a](javascript:x)", "[a](data:text/html;base64,eA==)"],
)  # fmt: skip
def test_no_text_becomes_a_link_that_runs_something(content: str) -> None:
    hrefs = [piece.href for block in blocks(content) for piece in block.pieces]
    assert all(not href or is_safe_link(href) for href in hrefs)
    assert "javascript:" not in "".join(hrefs)


def test_no_markup_of_a_text_reaches_the_page() -> None:
    content = '<b>x</b>\n\n[a](/"onclick=alert)\n\n|<i>|\n|-|\n\n    <u>\n\n```<s>\n<s>\n```\n\n![<p>](/a)'
    html = render_to_string("pages/blocks.html", {"blocks": blocks(content)})
    for tag in ("<b>", "<i>", "<u>", "<s>", '"onclick'):
        assert tag not in html
    assert "&lt;b&gt;" in html


def test_a_page_shows_each_block_with_its_own_tags() -> None:
    content = "# A\n\n### B\n\n- c\n\n2. d\n\n> e\n\n|f|\n|-|\n|g|\n\n`h` **i** *j* [k](/l)\n\n---\n\n    m"
    html = render_to_string("pages/blocks.html", {"blocks": blocks(content)})
    for tag in ("<h2 ", "<h3 ", "<ul>", '<ol start="2">', "<blockquote>", "<th ", "<td ", "<code>h", "<strong>i",
                "<em>j", '<a href="/l" rel="nofollow noopener ugc">k</a>', "<hr>", "<pre "):  # fmt: skip
        assert tag in html


def test_no_line_of_a_text_is_lost() -> None:
    content = "# A\n\nb\n- c\n\n    d\n```\ne\n```\nf `g` h"
    html = render_to_string("pages/blocks.html", {"blocks": blocks(content)})
    assert [letter for letter in "Abcdefgh" if letter not in html] == []


@pytest.mark.parametrize("content", [">" * 60 + " deep", "".join("  " * n + "- deep\n" for n in range(60))])
def test_a_text_that_nests_too_deep_is_shown_as_it_was_written(content: str) -> None:
    assert blocks(content) == [Block("code", (Piece(content),))]


@pytest.mark.parametrize("content", [">" * 35 + " deep", "".join("  " * n + "- deep\n" for n in range(18))])
def test_a_page_shows_a_text_that_nests_deep(content: str) -> None:
    assert "deep" in render_to_string("pages/blocks.html", {"blocks": blocks(content)})


def test_the_end_of_a_very_long_text_is_shown_as_it_was_written() -> None:
    found = blocks("word\n" * MOST_LINES + "# not a heading\n")
    assert (len(found), found[-1]) == (2, Block("code", (Piece("# not a heading"),)))
    assert blocks("a `b` c\n" * MOST_MARKS)[-1].text.endswith("a `b` c")


@pytest.mark.parametrize(
    "line", ["word\n", "- item\n", "`a` ", "# h\n", "- a\n" + "b\n" * 99, " \t", "[", "|a" * 9 + "\n"]
)
def test_a_page_of_the_longest_text_shows_a_bounded_number_of_pieces(line: str) -> None:
    content = (line * (MAX_CONTENT // len(line) + 1))[:MAX_CONTENT]
    html = render_to_string("pages/blocks.html", {"blocks": blocks(content)})
    assert html.count("<") <= 4 * (MOST_LINES + MOST_MARKS)


@pytest.mark.parametrize(
    ("line", "heading"),
    [("# A", (1, "A")), ("###### A b ##", (6, "A b")), ("#\tA#", (1, "A")), ("####### A", None), ("#A", None),
     ("# ", None), ("#", None), ("", None), (" # A", None)],
)  # fmt: skip
def test_a_heading_is_distinguished_from_other_lines(line: str, heading: tuple[int, str] | None) -> None:
    assert heading_of(line) == heading


def test_an_excerpt_loses_its_marks_but_not_its_words() -> None:
    assert (
        plain("## Classes\n\n- `Path`: a path\n- `ZipFile`: a file\nend")
        == "Classes · Path: a path · ZipFile: a file end"
    )
