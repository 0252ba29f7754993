"""Turns text into the token ids of BERT's uncased vocabulary, and counts them.

The steps are those of BERT (Devlin et al., 2018, arXiv 1810.04805): the basic tokenizer (clean, split CJK,
strip accents, lower case, split punctuation), then greedy longest-match-first WordPiece, in the order of the
reference library `tokenizers`. One deliberate difference: "[CLS]" in a text is those five characters,
never the control token.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path

UNKNOWN, START, END = 100, 101, 102
SPECIALS = 2
"""How many ids `encode` adds to what `count` counts: the start and end marks."""

MAX_TOKENS = 512
"""The model's hard limit, special tokens included; it was trained on 256."""

_LONGEST_WORD = 100
_LONGEST_CACHED = 64
_MOST_CHARACTERS_KEPT = 65_536
_VOCABULARY = Path(__file__).with_name("vocab.txt")
# Control characters, which BERT drops, although str.split() takes them for white space.
_DROPPED_SPACE = re.compile("[\x0b\x0c\x1c-\x1f\x85]")
_CJK = (
    range(0x4E00, 0xA000),
    range(0x3400, 0x4DC0),
    range(0x20000, 0x2A6E0),
    range(0x2A700, 0x2CEB0),
    range(0xF900, 0xFB00),
    range(0x2F800, 0x2FA20),
)


class TooManyTokens(ValueError):
    """The text has more tokens than the caller's limit."""

    def __init__(self, tokens: int, limit: int) -> None:
        super().__init__(f"The text has {tokens} tokens, the limit is {limit}: split it into shorter pieces.")
        self.tokens = tokens
        self.limit = limit


def encode(text: str, limit: int = MAX_TOKENS) -> list[int]:
    """The token ids of `text` between the start and end marks, at most `limit` of them, marks included.

    Raises TooManyTokens where they would be more: nothing is cut silently.
    """
    ids = [START, *chain.from_iterable(_ids_by_word(text)), END]
    if len(ids) > limit:
        raise TooManyTokens(len(ids), limit)
    return ids


def count(text: str) -> int:
    """How many tokens `text` has, start and end marks not counted."""
    return sum(map(len, _ids_by_word(text)))


def _ids_by_word(text: str) -> Iterator[tuple[int, ...]]:
    words = _DROPPED_SPACE.sub("", text).split()
    if max(map(len, words), default=0) <= _LONGEST_CACHED:
        return map(_cached_ids, words)
    return map(_word_ids, words)


def _word_ids(word: str) -> tuple[int, ...]:
    """Ids of one white-space-free word: what basic tokenizing makes of it, cut into pieces."""
    return tuple(chain.from_iterable(map(_pieces, word.translate(_BASIC).split())))


_cached_ids = lru_cache(maxsize=32_768)(_word_ids)


class _BasicTokenizer(dict[int, str]):
    """A table for str.translate, filled on demand: what BERT's basic tokenizer makes of each."""

    def __missing__(self, codepoint: int) -> str:
        made = "".join(map(_basic, _decomposed(chr(codepoint))))
        if len(self) < _MOST_CHARACTERS_KEPT:  # a text may hold each of a million
            self[codepoint] = made
        return made


_BASIC = _BasicTokenizer()


def _decomposed(char: str) -> str:
    """`char` as base character and accents; CJK characters are set apart before they could decompose."""
    plain = unicodedata.normalize("NFD", char)
    return f" {plain} " if any(ord(char) in block for block in _CJK) else plain


def _basic(char: str) -> str:
    """`char` in lower case, set apart if it is punctuation, nothing if it is an accent or a control."""
    category = unicodedata.category(char)
    if char.isspace() and not _DROPPED_SPACE.match(char):
        return " "
    # Characters that Unicode has not assigned (Cn) stay, and become [UNK], as in the reference.
    if char == "\ufffd" or category in {"Mn", "Cc", "Cf", "Co", "Cs"}:
        return ""
    # BERT counts every ASCII symbol as punctuation, although Unicode calls $, + or ^ symbols.
    if category.startswith("P") or (char.isascii() and not char.isalnum()):
        return f" {char} "
    return char.lower()


def _pieces(part: str) -> list[int]:
    """Greedy longest match first; [UNK] for the whole part if some of it has no match or it is too long."""
    if len(part) > _LONGEST_WORD:
        return [UNKNOWN]
    heads, tails, longest = _vocabulary()
    found: list[int] = []
    start = 0
    table = heads
    while start < len(part):
        for end in range(min(len(part), start + longest), start, -1):
            piece = table.get(part[start:end])
            if piece is not None:
                break
        else:
            return [UNKNOWN]
        found.append(piece)
        start, table = end, tails
    return found


@cache
def _vocabulary() -> tuple[dict[str, int], dict[str, int], int]:
    """Pieces that open a word, pieces that continue one (without "##"), and the longest piece's length."""
    heads: dict[str, int] = {}
    tails: dict[str, int] = {}
    for number, piece in enumerate(_VOCABULARY.read_text(encoding="utf-8").splitlines()):
        if piece.startswith("##") and len(piece) > 2:
            tails[piece[2:]] = number
        else:
            heads[piece] = number
    return heads, tails, max(map(len, heads))
