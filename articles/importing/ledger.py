"""Records the slugs of an import on disk, so that memory stays constant however long the file is."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from articles import slugs
from articles.importing.drafts import Draft
from articles.importing.entries import Entry, RefusedEntry, Row
from lib.nfc import nfc

# `met`: slugs given to drafts so far, with the last number put behind. `wanted`: of the whole source, how many entries
# want a slug, and whether one of them is identified by more than its title.
_SCHEMA = """
CREATE TABLE met (slug TEXT PRIMARY KEY, place TEXT, last_number INTEGER) WITHOUT ROWID;
CREATE TABLE wanted (slug TEXT PRIMARY KEY, times INTEGER, is_named INTEGER) WITHOUT ROWID;
"""
_WANT = """
INSERT INTO wanted VALUES (?, 1, ?)
ON CONFLICT (slug) DO UPDATE SET times = times + 1, is_named = max(is_named, excluded.is_named)
"""


class SlugLedger:
    """Gives each draft of one import its slug, whatever the order of the entries: so the same file, and one in which
    rows were added, finds the articles of the import before. `again` reads the source from its start; without it,
    of equal titles the first is taken for the only one."""

    def __init__(self, again: Callable[[], Iterator[Entry]] | None = None) -> None:
        self._again = again
        self._database = sqlite3.connect("")  # a private temporary file, gone when closed
        self._database.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._database.close()

    def enter(self, draft: Draft) -> Draft | RefusedEntry:
        """The draft with the slug it shall have: its own, unless an earlier one had it, or one made from its title,
        and from its text where others want that one. A draft with a path gets its slug when it is written."""
        if draft.path:
            return self._once(draft)
        if not draft.slug:
            return self._by_title(draft)
        if self._met(draft.slug, draft.place):
            earlier = self._place_of(draft.slug)
            return RefusedEntry(draft.place, f"slug {draft.slug!a} was already used by {earlier}")
        return draft

    def _once(self, draft: Draft) -> Draft | RefusedEntry:
        entry = f"\0{draft.source}\0{draft.path}"  # no slug begins so
        if self._met(entry, draft.place):
            reason = f"{draft.path!a} was already used by {self._place_of(entry)}"
            return RefusedEntry(draft.place, reason)
        self._met(draft.slug or slugs.slug_from(draft.title), draft.place)  # others do not get it
        return draft

    def _by_title(self, draft: Draft) -> Draft:
        self._count()
        title = slugs.slug_from(draft.title)
        times, is_named = self._wanted(title)
        text = slugs.joined(title, _digest(draft))
        if times <= 1 and not self._met(title, draft.place):
            return replace(draft, slug=title, other_slug=text)
        if not self._met(text, draft.place):
            return replace(draft, slug=text, other_slug=title if times > 1 and not is_named else "")
        return replace(draft, slug=self._numbered(text, draft.place))

    def _numbered(self, slug: str, place: str) -> str:
        """For entries that are the same in every field."""
        (number,) = self._database.execute("SELECT last_number FROM met WHERE slug = ?", (slug,)).fetchone()
        while self._met(numbered := f"{slug}-{(number := number + 1)}", place):
            pass
        self._database.execute("UPDATE met SET last_number = ? WHERE slug = ?", (number, slug))
        return numbered

    def _count(self) -> None:
        """Reads the whole source, once, at the first entry that its title identifies."""
        again, self._again = self._again, None
        for entry in again() if again else ():
            if isinstance(entry, Row) and (wanted := _wanted_by(entry)):
                self._database.execute(_WANT, wanted)

    def _wanted(self, slug: str) -> tuple[int, bool]:
        row = self._database.execute("SELECT times, is_named FROM wanted WHERE slug = ?", (slug,)).fetchone()
        return (int(row[0]), bool(row[1])) if row else (0, False)

    def _met(self, slug: str, place: str) -> bool:
        """Whether the slug occurred before; records it."""
        statement = "INSERT INTO met VALUES (?, ?, 1) ON CONFLICT DO NOTHING"
        return self._database.execute(statement, (slug, place)).rowcount == 0

    def _place_of(self, slug: str) -> str:
        row = self._database.execute("SELECT place FROM met WHERE slug = ?", (slug,)).fetchone()
        return str(row[0])


def _wanted_by(row: Row) -> tuple[str, bool] | None:
    """The slug that an entry wants, and whether it is identified by another thing than its title."""
    given, title = row.fields.get("slug"), row.fields.get("title")
    if given and isinstance(given, str):
        return nfc(given), True
    return (slugs.slug_from(nfc(title)), bool(row.path)) if isinstance(title, str) else None


def _digest(draft: Draft) -> str:
    """What tells apart entries of one title: the same for the same entry, wherever it stands in its file."""
    parts = "\0".join((draft.title, draft.content, draft.metadata))
    return hashlib.sha256(parts.encode()).hexdigest()[:12]
