"""Turns what people type into a query for Postgres' full-text index; pure.

Quoted words must be adjacent, a minus excludes, `or` joins alternatives. A joined word (TCP/IP, node.js, read_text,
ZipFile) is asked for whole and in parts; a word of a script without spaces by pairs of its characters.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from articles.letter_folding import UNSPACED, fold

MOST_WORDS = 64
"""A query's words after these are left out."""

_ITEM = re.compile(r'(?P<minus>-?)"(?P<quoted>[^"]*)"?|(?P<bare>[^\s"]+)')
_READ_AS = str.maketrans({"\x00": " ", "“": '"', "”": '"', "„": '"'})
_OR = "or"
_JOINTS = "-._/@:~+"
_BETWEEN = re.compile(rf"[{re.escape(_JOINTS)}]+")
_CHUNK = re.compile(rf"[A-Za-z0-9{_JOINTS}\u0080-\U0010ffff]+")
_RUN = re.compile(
    rf"[{UNSPACED}]+|[A-Za-z0-9\u0080-\U0010ffff]+?(?=[{UNSPACED}]|[^A-Za-z0-9\u0080-\U0010ffff]|$)"
)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z][a-z])")
_UNSPACED = re.compile(f"[{UNSPACED}]")


@dataclass(frozen=True)
class Item:
    """One thing that is asked for. `whole` is the tsquery of all of it, `loose` the same without the order of words;
    `words` are what it consists of, each a tsquery of one word; `joined` if the words are written as one or in quotes,
    `spelled` then their spelling in one word; `either` if one of the words is enough."""

    whole: str
    loose: str
    words: tuple[str, ...]
    joined: bool = False
    spelled: str = ""
    either: bool = False


@dataclass(frozen=True)
class Query:
    """What is asked for: all of `items` if possible, all of `required` (a part of them) and none of `excluded`."""

    items: tuple[Item, ...]
    required: tuple[str, ...]
    excluded: tuple[str, ...]

    @property
    def all_words(self) -> str:
        """The tsquery of articles with everything that is asked for; empty if nothing is."""
        return _limited(" & ".join(item.whole for item in self.items), self.excluded)

    @property
    def all_loosely(self) -> str:
        """The tsquery of articles with all words in any order, which the index answers without reading an article, but
        for what is quoted; empty if nothing is asked for."""
        return _limited(" & ".join([*(item.loose for item in self.items), *self.required]), self.excluded)

    @property
    def any_word(self) -> str:
        """The tsquery of articles with at least one word; empty if nothing is asked for."""
        return self.any_of(text for item in self.items for text in (item.whole, *item.words))

    def any_of(self, words: Iterable[str]) -> str:
        """The tsquery of articles with one of these, and with what is required; empty if there are none."""
        asked = list(dict.fromkeys(words))
        return _limited(
            " & ".join([f"({' | '.join(asked)})", *self.required]) if asked else "", self.excluded
        )


def _limited(asked: str, excluded: tuple[str, ...]) -> str:
    return " & ".join([asked, *(f"!{one}" for one in excluded)]) if asked else ""


def parse(text: str) -> Query:
    """The query of a text of bounded length."""
    items: list[Item] = []
    required: list[str] = []
    excluded: list[str] = []
    alternative = False
    for match in _ITEM.finditer(text.translate(_READ_AS)):
        quoted, bare = match["quoted"], match["bare"] or ""
        if bare.lower() == _OR:
            alternative = bool(items)
            continue
        is_excluded = bool(match["minus"]) or (len(bare) > 1 and bare[0] == "-" and bare[1] not in _JOINTS)
        found = [_phrase(quoted)] if quoted is not None else _items(bare)
        found = [item for item in found if item.words]
        if is_excluded:
            excluded += [item.whole for item in found]
        elif found:
            if quoted is not None and not alternative:
                required.append(found[0].whole)
            items = [*items[:-1], _either(items[-1], found[0]), *found[1:]] if alternative else items + found
        alternative = False
    return Query(_bounded(items), tuple(required[:MOST_WORDS]), tuple(excluded[:MOST_WORDS]))


def _bounded(items: list[Item]) -> tuple[Item, ...]:
    kept: list[Item] = []
    left = MOST_WORDS
    for item in items:
        left -= len(item.words)
        if left < 0 and kept:
            break
        kept.append(item)
    return tuple(kept)


def _items(bare: str) -> list[Item]:
    """What a run of characters without blanks asks for."""
    return [item for chunk in _CHUNK.findall(fold(bare)) for item in _of_chunk(chunk.strip(_JOINTS))]


def _of_chunk(chunk: str) -> list[Item]:
    if _UNSPACED.search(chunk):
        return [_of_run(run) for run in _RUN.findall(chunk)]
    parts = [part for part in _BETWEEN.split(chunk) if part]
    words = [word for part in parts for word in _HUMP.split(part)]
    if len(words) < 2:
        return [_single(word) for word in words]
    spelled = _word("".join(parts))
    spellings = dict.fromkeys([_adjacent(parts), _adjacent(words), spelled])
    single = tuple(dict.fromkeys(map(_word, words)))
    loose = f"(({' & '.join(single)}) | {spelled})"
    return [Item(f"({' | '.join(spellings)})", loose, single, joined=True, spelled=spelled)]


def _of_run(run: str) -> Item:
    """A run of one script: a word, or pairs of characters of a script without spaces."""
    if not _UNSPACED.match(run):
        return _single(run)
    words = tuple(dict.fromkeys(_pairs(run)))
    whole = f"({' & '.join(words)})"
    return Item(whole, whole, words)


def _pairs(run: str) -> list[str]:
    if len(run) == 1:
        return [f"{_word(run)}:*"]  # every pair that begins with it, and the last character of a run
    return [_word(first + second) for first, second in pairwise(run)]


def _phrase(quoted: str) -> Item:
    """The words in quotes, one directly after the other."""
    words: list[str] = []
    for chunk in _CHUNK.findall(fold(quoted)):
        for part in _BETWEEN.split(chunk):
            for run in _RUN.findall(part):
                words += _pairs(run) if _UNSPACED.match(run) else [_word(run)]
    loose = f"({' & '.join(words)})"
    return Item(f"({' <-> '.join(words)})", loose, tuple(words[:MOST_WORDS]), joined=len(words) > 1)


def _either(one: Item, other: Item) -> Item:
    words = (*one.words, *other.words)
    return Item(f"({one.whole} | {other.whole})", f"({one.loose} | {other.loose})", words, either=True)


def _single(word: str) -> Item:
    return Item(_word(word), _word(word), (_word(word),))


def _adjacent(words: list[str]) -> str:
    return f"({' <-> '.join(map(_word, words))})"


def _word(word: str) -> str:
    return f"'{word}'"
