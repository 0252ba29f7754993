"""Reads a Markdown text (CommonMark and tables) into blocks for a page. Pure; the template writes the tags, so that
nothing in a text can become markup."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

# A page reads this many lines and special characters as Markdown; what follows them is shown as it was written.
MOST_LINES = 5_000
MOST_MARKS = 20_000
_DEEPEST_HEADING = 6
_DEEPEST_NESTING = 40
_SCHEMES = frozenset({"http", "https", "mailto"})
_SPECIAL = re.compile(r"[^\w\s,.;'\"()/]")  # what the parser stops at in the midst of a line, and some more
_PATH = re.compile(r"[/?#]")
_BULLET = re.compile(r"\n\s{0,3}[-*+]\s+")
_MARKS = re.compile(r"^[ \t]*(?:#{1,6}|[-*+])(?:[ \t]+|$)|`+", re.MULTILINE)

type Kind = Literal[
    "heading",
    "paragraph",
    "text",
    "code",
    "bullets",
    "numbers",
    "item",
    "quote",
    "table",
    "row",
    "head",
    "cell",
    "rule",
]


_WITH_TEXT: dict[str, Kind] = {
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "th_open": "head",
    "td_open": "cell",
}
_AROUND_OTHERS: dict[str, Kind] = {
    "bullet_list_open": "bullets",
    "ordered_list_open": "numbers",
    "list_item_open": "item",
    "blockquote_open": "quote",
    "table_open": "table",
    "tr_open": "row",
}


@dataclass(frozen=True)
class Piece:
    """A stretch of a line that is set in one way; a link where `href` is not empty."""

    text: str
    is_code: bool = False
    is_strong: bool = False
    is_emphasized: bool = False
    href: str = ""


@dataclass(frozen=True)
class Block:
    """`pieces` are the text of a heading, a paragraph or a cell, `blocks` what a list, an item, a quote, a table or a
    row holds. `number` is the level of a heading, and where a numbered list starts."""

    kind: Kind
    pieces: tuple[Piece, ...] = ()
    blocks: tuple["Block", ...] = ()
    number: int = 0

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


def is_safe_link(href: str) -> bool:
    """Whether a page may link there: to an address without a scheme, or with one that opens a page or a letter."""
    before, colon, _ = href.partition(":")
    return not colon or bool(_PATH.search(before)) or before.lower() in _SCHEMES


def blocks(content: str) -> list[Block]:
    """The blocks of a text. HTML in it stays text, and so does a link that is not safe.

    Of a text with more than MOST_LINES lines or MOST_MARKS special characters, the end is one block of code; one with
    lists or quotes in each other so deep that the parser would leave text out is so as a whole."""
    lines, rest = _within_bounds(content.splitlines())
    tokens = _PARSER.parse("\n".join(lines))
    if any(token.level >= _DEEPEST_NESTING - 1 for token in tokens):
        return [_code(content)]
    found = list(_blocks(iter(tokens)))
    return [*found, _code("\n".join(rest))] if rest else found


def heading_of(line: str) -> tuple[int, str] | None:
    """The level and the words of an ATX heading, the marks at its end left out; None for any other line."""
    words = line.lstrip("#")
    level = len(line) - len(words)
    if not 1 <= level <= _DEEPEST_HEADING or not words[:1].isspace():
        return None
    words = words.strip().rstrip("#").rstrip()
    return (level, words) if words else None


def plain(excerpt: str) -> str:
    """An excerpt on one line without the marks of headings, lists and code."""
    return " ".join(_MARKS.sub("", _BULLET.sub(" · ", excerpt)).split())


def _within_bounds(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines that are read as Markdown, and the others."""
    marks = 0
    for at, line in enumerate(lines[:MOST_LINES]):
        marks += len(_SPECIAL.findall(line))
        if marks > MOST_MARKS:
            return lines[:at], lines[at:]
    return lines[:MOST_LINES], lines[MOST_LINES:]


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        return is_safe_link(url)


_PARSER = _Parser("commonmark", {"html": False, "maxNesting": _DEEPEST_NESTING}).enable("table")


def _blocks(tokens: Iterator[Token]) -> Iterator[Block]:
    """The blocks up to the token that closes the one around them."""
    for token in tokens:
        if token.nesting < 0:
            return
        if token.type in _WITH_TEXT:
            yield _with_text(token, tokens)
        elif token.type in _AROUND_OTHERS:
            kind = _AROUND_OTHERS[token.type]
            number = int(token.attrs.get("start", 1)) if kind == "numbers" else 0
            yield Block(kind, blocks=tuple(_blocks(tokens)), number=number)
        elif token.type in ("thead_open", "tbody_open"):
            yield from _blocks(tokens)
        elif token.type in ("fence", "code_block"):
            yield _code(token.content.removesuffix("\n"))
        elif token.type == "hr":
            yield Block("rule")


def _with_text(opening: Token, tokens: Iterator[Token]) -> Block:
    inline = next(tokens)
    next(tokens)  # what closes it
    kind: Kind = "text" if opening.hidden else _WITH_TEXT[opening.type]  # hidden: the items of a tight list
    number = int(opening.tag[1:]) if kind == "heading" else 0
    return Block(kind, tuple(_pieces(inline.children or ())), number=number)


def _pieces(tokens: Sequence[Token]) -> Iterator[Piece]:
    strong = emphasized = 0
    href = ""
    for token in tokens:
        if token.type.startswith("strong_"):
            strong += token.nesting
        elif token.type.startswith("em_"):
            emphasized += token.nesting
        elif token.type.startswith("link_"):
            href = str(token.attrGet("href") or "")
        elif token.type == "image":
            yield Piece(token.content, href=href or str(token.attrGet("src") or ""))
        else:
            text = "\n" if token.type in ("softbreak", "hardbreak") else token.content
            if text:
                yield Piece(text, token.type == "code_inline", strong > 0, emphasized > 0, href)


def _code(text: str) -> Block:
    return Block("code", (Piece(text),))
