"""Takes a text apart for a page: headings, lists, code and paragraphs. Pure; the template writes the tags, so that
nothing in a text can become markup."""

import re
from dataclasses import dataclass
from typing import Literal

# A page takes apart as many lines and marks of code; what follows them is shown as it was written.
MOST_LINES = MOST_MARKS = 5_000
_DEEPEST_HEADING = 6
_ITEM = re.compile(r"\s{0,3}[-*+]\s+(.*)")
_FENCE = re.compile(r"\s{0,3}(```|~~~)")
_INDENT = "    "
_CODE = re.compile(r"`([^`\n]+)`")
_BULLET = re.compile(r"\n\s{0,3}[-*+]\s+")
_MARKS = re.compile(r"^[ \t]*(?:#{1,6}|[-*+])(?:[ \t]+|$)|`+", re.MULTILINE)


@dataclass(frozen=True)
class Piece:
    """A stretch of a line; code is set in another face."""

    text: str
    is_code: bool


@dataclass(frozen=True)
class Block:
    """`lines` are the items of a list, and else one text."""

    kind: Literal["heading", "list", "code", "paragraph"]
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def pieces(self) -> list[list[Piece]]:
        """The pieces of each line."""
        return [pieces(line) for line in self.lines]


def blocks(content: str) -> list[Block]:
    """The blocks of a text in that part of Markdown which people use without thinking; the rest stays as written.

    Of a text with more than MOST_LINES lines or MOST_MARKS marks of code, the end is one block of code."""
    found: list[Block] = []
    lines, rest = _taken_apart(content.expandtabs(4).splitlines())
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        block, at = _next(lines, at)
        found.append(block)
    return [*found, Block("code", tuple(rest))] if rest else found


def heading_of(line: str) -> tuple[int, str] | None:
    """The level and the words of an ATX heading, the marks at its end left out; None for any other line."""
    words = line.lstrip("#")
    level = len(line) - len(words)
    if not 1 <= level <= _DEEPEST_HEADING or not words[:1].isspace():
        return None
    words = words.strip().rstrip("#").rstrip()
    return (level, words) if words else None


def pieces(line: str) -> list[Piece]:
    """A line cut where `code` begins and ends."""
    parts = enumerate(_CODE.split(line))  # every second part is what the group caught
    return [Piece(text, bool(number % 2)) for number, text in parts if text]


def plain(excerpt: str) -> str:
    """An excerpt on one line without the marks of headings, lists and code."""
    return " ".join(_MARKS.sub("", _BULLET.sub(" · ", excerpt)).split())


def _taken_apart(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines within the bounds, and the others."""
    marks = 0
    for at, line in enumerate(lines[:MOST_LINES]):
        marks += line.count("`")
        if marks > MOST_MARKS:
            return lines[:at], lines[at:]
    return lines[:MOST_LINES], lines[MOST_LINES:]


def _next(lines: list[str], at: int) -> tuple[Block, int]:
    line = lines[at]
    if heading := heading_of(line):
        return Block("heading", heading[1:]), at + 1
    if fence := _FENCE.match(line):
        return _fenced(lines, at + 1, fence[1])
    if _ITEM.match(line):
        return _items(lines, at)
    if line.startswith(_INDENT):
        return _indented(lines, at)
    end = at + 1
    while end < len(lines) and lines[end].strip() and not _starts_block(lines[end]):
        end += 1
    return Block("paragraph", tuple(text.strip() for text in lines[at:end])), end


def _starts_block(line: str) -> bool:
    return bool(heading_of(line) or _FENCE.match(line) or _ITEM.match(line))


def _fenced(lines: list[str], at: int, fence: str) -> tuple[Block, int]:
    end = at
    while end < len(lines) and not lines[end].strip().startswith(fence):
        end += 1
    return Block("code", tuple(lines[at:end])), end + 1


def _indented(lines: list[str], at: int) -> tuple[Block, int]:
    end = at
    while end < len(lines) and (lines[end].startswith(_INDENT) or not lines[end].strip()):
        end += 1
    code = "\n".join(line[len(_INDENT) :] for line in lines[at:end]).rstrip()
    return Block("code", tuple(code.splitlines())), end


def _items(lines: list[str], at: int) -> tuple[Block, int]:
    items: list[list[str]] = []
    while at < len(lines) and lines[at].strip():
        if item := _ITEM.match(lines[at]):
            items.append([item[1].strip()])
        elif heading_of(lines[at]) or _FENCE.match(lines[at]):
            break
        else:
            items[-1].append(lines[at].strip())
        at += 1
    return Block("list", tuple(map(" ".join, items))), at
