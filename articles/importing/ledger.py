"""Records the slugs of an import on disk, so that memory stays constant however long the file is."""

import sqlite3
from dataclasses import replace
from types import TracebackType
from typing import Self

from articles import slugs
from articles.importing.drafts import Draft
from articles.importing.entries import RefusedEntry

_SCHEMA = "CREATE TABLE met (slug TEXT PRIMARY KEY, place TEXT, last_number INTEGER) WITHOUT ROWID"


class SlugLedger:
    """Gives each draft of one import its slug. The same file gives the same slugs each time it is imported:
    they depend on the file alone, so the second time finds the articles of the first."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")  # a private temporary file, gone when closed
        self._database.execute(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._database.close()

    def enter(self, draft: Draft) -> Draft | RefusedEntry:
        """The draft with the slug it shall have: its own, unless an earlier one had it, or one made from its title,
        numbered where equal titles made it before. A draft with a path gets its slug when it is written."""
        if draft.path:
            return self._once(draft)
        if not draft.slug:
            return replace(draft, slug=self._free_slug(draft))
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

    def _free_slug(self, draft: Draft) -> str:
        base = slugs.slug_from(draft.title)
        if not self._met(base, draft.place):
            return base
        number = self._last_number(base)
        while self._met(slug := f"{base}-{(number := number + 1)}", draft.place):
            pass
        self._database.execute("UPDATE met SET last_number = ? WHERE slug = ?", (number, base))
        return slug

    def _met(self, slug: str, place: str) -> bool:
        """Whether the slug occurred before; records it."""
        statement = "INSERT INTO met VALUES (?, ?, 1) ON CONFLICT DO NOTHING"
        return self._database.execute(statement, (slug, place)).rowcount == 0

    def _place_of(self, slug: str) -> str:
        row = self._database.execute("SELECT place FROM met WHERE slug = ?", (slug,)).fetchone()
        return str(row[0])

    def _last_number(self, slug: str) -> int:
        row = self._database.execute("SELECT last_number FROM met WHERE slug = ?", (slug,)).fetchone()
        return int(row[0])
