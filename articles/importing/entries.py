"""The output of a source: rows to write, refusals to report, and how far it has been read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from articles import limits
from lib.visible_text import one_line

# The longest JSON line an article within the bounds can need: each character as an escaped surrogate pair.
MAX_ENTRY_BYTES = 12 * limits.MAX_CONTENT + 1_000_000


class SourceUnreadable(Exception):
    """The source as a whole cannot be read; the message is a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Row:
    """Fields of one article as the source holds them, not yet checked."""

    place: str  # where an operator finds it: "articles.jsonl line 17"
    fields: dict[str, Any]
    position: int = 0  # how much of the source has been read so far, in the unit of Source.total
    path: str = ""  # what identifies it in its source: a file's path, a given id; empty where the slug does
    source: str = ""  # the source it was first imported from, as an export says; empty for this one


@dataclass(frozen=True, slots=True)
class RefusedEntry:
    """A part of the source that is not an article, with the reason."""

    place: str
    reason: str
    position: int = 0

    def __str__(self) -> str:
        """One line that any terminal can show: names of files may hold control characters."""
        return one_line(f"{self.place}: {self.reason}")


Entry = Row | RefusedEntry


@dataclass(frozen=True, slots=True)
class Source:
    """A source that has been opened: its entries in order, read on demand."""

    name: str
    entries: Iterator[Entry]
    total: int | None  # bytes of a file, files of a folder, articles of a corpus; None when unknown (a pipe)
    again: Callable[[], Iterator[Entry]] | None = (
        None  # the same entries; None where titles identify none of them
    )
