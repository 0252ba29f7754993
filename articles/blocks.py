"""Takes a text apart for a page: headings, lists, code and paragraphs. Pure; the template writes the tags, so that
nothing in a text can become markup."""

import re
from dataclasses import dataclass
from typing import Literal

_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*$")
_ITEM = re.compile(r"\s{0,3}[-*+]\s+(.*)")
_FENCE = re.compile(r"\s{0,3}(```|~~~)")
_INDENT = "    "
_CODE = re.compile(r"`([^`\n]+)`")
_BULLET = re.compile(r"\n\s{0,3}[-*+]\s+")
_MARKS = re.compile(r"^\s*(?:#{1,6}|[-*+])\s+|`+", re.MULTILINE)


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
    """The blocks of a text in that part of Markdown which people use without thinking; the rest stays as written."""
    found: list[Block] = []
    lines = content.expandtabs(4).splitlines()
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        block, at = _next(lines, at)
        found.append(block)
    return found


def pieces(line: str) -> list[Piece]:
    """A line cut where `code` begins and ends."""
    parts = enumerate(_CODE.split(line))  # every second part is what the group caught
    return [Piece(text, bool(number % 2)) for number, text in parts if text]


def plain(excerpt: str) -> str:
    """An excerpt on one line without the marks of headings, lists and code."""
    return " ".join(_MARKS.sub("", _BULLET.sub(" · ", excerpt)).split())


def _next(lines: list[str], at: int) -> tuple[Block, int]:
    line = lines[at]
    if heading := _HEADING.match(line):
        return Block("heading", (heading[2],)), at + 1
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
    return bool(_HEADING.match(line) or _FENCE.match(line) or _ITEM.match(line))


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
    items: list[str] = []
    while at < len(lines) and lines[at].strip():
        if item := _ITEM.match(lines[at]):
            items.append(item[1].strip())
        elif _HEADING.match(lines[at]) or _FENCE.match(lines[at]):
            break
        else:
            items[-1] += f" {lines[at].strip()}"
        at += 1
    return Block("list", tuple(items)), at
