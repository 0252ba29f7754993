"""Cuts a text into pieces that fit a model, at headings, paragraphs and sentences; pure, and nothing is dropped."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from embeddings.text.tokens import TokenCounter

# Part of a space's recipe: raise it with every change that cuts any text in another way.
CHUNKER_VERSION = 1
_BLOCK_END = re.compile(r"\n\s*\n|\n(?=#{1,6} )")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|(?<=[。！？])|\n")
_WORD_END = re.compile(r"\s+")
_HEADING = re.compile(r"#{1,6} ")
# A model accepts at least 128 tokens, and counts at most three where we count one (`tokens.estimate`): a text below
# twice this is refused for another reason.
FLOOR_TOKENS = 16
# Of a chunk's text, title included. White space, punctuation and long words are few tokens or none, and a request has
# a maximum size: the local embedder refuses twice this much.
MAX_CHARACTERS = 32_768


class Chunk(NamedTuple):
    """`text` is sent to the provider; start and end are its characters in the content."""

    start: int
    end: int
    text: str


class _Piece(NamedTuple):
    """`gap` is the number of tokens in the white space before it, which belongs to no piece."""

    start: int
    end: int
    tokens: int
    is_heading: bool = False
    gap: int = 0


class _Room(NamedTuple):
    """The space of a chunk behind its title: so many tokens in so many characters."""

    tokens: int
    characters: int

    def holds(self, tokens: int, characters: int) -> bool:
        return tokens <= self.tokens and characters <= self.characters

    def without(self, front: str, count: TokenCounter) -> "_Room":
        """The space left behind `front`."""
        return _Room(self.tokens - count(front), self.characters - len(front))

    def parts(self, tokens: int, characters: int) -> int:
        """How many even parts a text is cut into so that each is likely to fit."""
        return max(-(-tokens * 11 // (self.tokens * 10)), -(-characters // self.characters))


def chunks_of(
    title: str, content: str, *, budget: int, overlap: int, count: TokenCounter, prefix: str = ""
) -> list[Chunk]:
    """The chunks of an article, each with the title in front and at most `budget` tokens and MAX_CHARACTERS characters
    long in all.

    Spans are in order, overlap by at most `overlap` tokens and together contain every character that is not white
    space. A text without any has no chunks. A title that would fill more than half of a chunk gets chunks of its own
    (span 0..0) and is shortened in front of the others.
    """
    if not content or content.isspace():
        return []
    front = f"{prefix}{title}\n\n"
    # no tokenizer makes more tokens than characters of ASCII, so most texts need not be counted at all
    whole, room = front + content, _Room(budget, MAX_CHARACTERS)
    if (whole.isascii() and len(whole) <= budget) or (
        len(whole) <= MAX_CHARACTERS and count(whole) <= budget
    ):
        return [Chunk(0, len(content), whole)]
    is_short = count(front) <= budget // 2 and len(front) <= MAX_CHARACTERS // 2
    own, front = ([], front) if is_short else _long_title(title, prefix, room, count)
    room = room.without(front, count)
    pieces = _pack(list(_pieces(content, 0, len(content), room, count)), room, overlap)
    return [*own, *(Chunk(start, end, front + content[start:end]) for start, end in pieces)]


def smaller(chunk: Chunk, *, count: TokenCounter, prefix: str = "", floor: int = FLOOR_TOKENS) -> list[Chunk]:
    """A chunk that a model refused, in chunks of half its text: together they have its text and its span, each with its
    front, unless that was more than a quarter of it. None, if half its tokens are fewer than `floor`.

    Our count is an estimate without the tokenizer: a model may count three times as many tokens.
    """
    tokens = count(chunk.text)
    if tokens < 2 * floor:
        return []
    front = chunk.text[: len(chunk.text) - (chunk.end - chunk.start)]
    if count(front) > tokens // 4:
        front = prefix  # then the title is cut like the text behind it
    room, shift = _Room(-(-(tokens - count(front)) // 2), MAX_CHARACTERS), chunk.end - len(chunk.text)
    pieces = _pack(list(_pieces(chunk.text, len(front), len(chunk.text), room, count)), room, 0)
    return [
        Chunk(max(start + shift, chunk.start), max(end + shift, chunk.start), front + chunk.text[start:end])
        for start, end in pieces
    ]


def _long_title(title: str, prefix: str, room: _Room, count: TokenCounter) -> tuple[list[Chunk], str]:
    pieces = _pieces(title, 0, len(title), room.without(prefix, count), count)
    own = [Chunk(0, 0, prefix + title[piece.start : piece.end]) for piece in pieces]
    half = _Room(room.tokens // 2, room.characters // 2).without(prefix, count)
    short = next(_pieces(title, 0, len(title), half, count))
    return own, f"{prefix}{title[short.start : short.end]}\n\n"


def _pieces(text: str, start: int, end: int, room: _Room, count: TokenCounter) -> Iterator[_Piece]:
    """Blocks that fit; of one that does not, sentences; of such a sentence, words; of such a word, even parts."""
    behind = start
    for piece in _split(text, start, end, room, count, (_BLOCK_END, _SENTENCE_END, _WORD_END)):
        yield piece._replace(gap=count(text[behind : piece.start])) if piece.start > behind else piece
        behind = piece.end


def _split(
    text: str,
    start: int,
    end: int,
    room: _Room,
    count: TokenCounter,
    ends: tuple[re.Pattern[str], ...],
    known: int | None = None,
) -> Iterator[_Piece]:
    """`known` is the number of tokens if already counted: counting a megabyte takes a second."""
    if end - start > room.characters:
        start, end = _stripped(text, start, end)
    if not text[start:end].strip():
        return
    tokens = count(text[start:end]) if known is None else known
    if end - start == 1 or (room.holds(tokens, end - start) and ends[:1] != (_BLOCK_END,)):
        yield _Piece(start, end, tokens)
    elif ends:
        for left, right in _cuts(text, start, end, ends[0]):
            inner = tokens if (left, right) == (start, end) else count(text[left:right])
            if room.holds(inner, right - left) and text[left:right].strip():
                yield _Piece(left, right, inner, bool(_HEADING.match(text[left:right].lstrip())))
            else:
                yield from _split(text, left, right, room, count, ends[1:], inner)
    else:
        for left, right in _even(start, end, room.parts(tokens, end - start)):
            yield from _split(text, left, right, room, count, ())


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends, so that no cut is made in it."""
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())


def _even(start: int, end: int, parts: int) -> Iterator[tuple[int, int]]:
    """So many spans of about the same length, at least two and none empty."""
    parts = min(max(parts, 2), end - start)
    marks = [start + (end - start) * n // parts for n in range(parts + 1)]
    return pairwise(marks)


def _cuts(text: str, start: int, end: int, boundary: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    left = start
    for match in boundary.finditer(text, start, end):
        if left < match.end() < end:
            yield left, match.end()
            left = match.end()
    yield left, end


def _pack(pieces: list[_Piece], room: _Room, overlap: int) -> Iterator[tuple[int, int]]:
    """Joins neighbours while they fit; a heading begins a new chunk once the current one is half full."""
    first, tokens = 0, pieces[0].tokens
    for index, piece in enumerate(pieces[1:], 1):
        grown = tokens + piece.gap + piece.tokens
        is_full = not room.holds(grown, piece.end - pieces[first].start)
        if is_full or (piece.is_heading and tokens > room.tokens // 2):
            yield pieces[first].start, pieces[index - 1].end
            left = _Room(min(overlap, room.tokens - piece.tokens), room.characters)
            first, tokens = _step_back(pieces, first, index, left)
            tokens += piece.tokens
        else:
            tokens = grown
    yield pieces[first].start, pieces[-1].end


def _step_back(pieces: list[_Piece], first: int, index: int, room: _Room) -> tuple[int, int]:
    """Where the next chunk begins, and its tokens so far: as many of the last pieces as fit."""
    begin, tokens = index, 0
    while begin - 1 > first:
        grown = tokens + pieces[begin - 1].tokens + pieces[begin].gap
        if not room.holds(grown, pieces[index].end - pieces[begin - 1].start):
            break
        begin, tokens = begin - 1, grown
    return begin, tokens
