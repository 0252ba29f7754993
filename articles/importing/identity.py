"""Which article an entry of a source is: the one imported from that entry before, whatever its title is by now."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from django.db import connection

from articles import slugs
from articles.importing.drafts import Draft
from articles.importing.entries import SourceUnreadable
from articles.models import ImportSource

# One import at a time chooses slugs for its entries: of two, both would take the same free one.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('article_provenance'))"
_KNOWN = """
SELECT given.place, articles.slug
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS given (source, path, place)
JOIN article_provenance AS known ON known.source = given.source AND known.path = given.path
JOIN articles ON articles.id = known.article_id
"""
# An article that no import has made may be the entry's: where the entry names its slug, or has the same text.
_FIRST_CHOICES = """
SELECT given.place, known.article_id IS NULL, (articles.title, articles.content) = (given.title, given.content)
FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS given (slug, title, content, place)
JOIN articles ON articles.slug = given.slug LEFT JOIN article_provenance AS known ON known.article_id = articles.id
"""
# Entries that their title identifies: the same title may have become another's, or its only one, since the last import.
_SAME = """
SELECT given.place
FROM unnest(%s::text[], %s::text[], %s::text[], %s::jsonb[])
    WITH ORDINALITY AS given (slug, title, content, metadata, place)
JOIN articles ON articles.slug = given.slug
    AND (articles.title, articles.content, articles.metadata) = (given.title, given.content, given.metadata)
"""
_TAKEN = "SELECT slug FROM articles WHERE slug = ANY(%s::text[])"
_RECORD = """
INSERT INTO article_provenance (article_id, source, path)
SELECT articles.id, given.source, given.path
FROM unnest(%s::text[], %s::text[], %s::text[]) AS given (slug, source, path)
JOIN articles ON articles.slug = given.slug
ON CONFLICT DO NOTHING
"""


@dataclass(slots=True)
class Origin:
    """The source that an import's entries belong to; `is_given` where the operator named it."""

    name: str = ""
    location: str = ""
    is_given: bool = False
    _is_claimed: bool = field(default=False, init=False)

    def claim(self) -> str:
        """The name, once it is known that no other source has it. Raises SourceUnreadable."""
        if not self._is_claimed:
            self._claim()
            self._is_claimed = True
        return self.name

    def _claim(self) -> None:
        if not self.name:
            raise SourceUnreadable("the entries have ids, and their source has no name: give --source NAME")
        known, _ = ImportSource.objects.get_or_create(name=self.name, defaults={"location": self.location})
        if known.location == self.location:
            return
        if not self.is_given:
            raise SourceUnreadable(
                f"the source {self.name!a} was imported from {known.location} before, and is now {self.location}; "
                f"if it moved, add --source {self.name}, otherwise give it another name"
            )
        ImportSource.objects.filter(name=self.name).update(location=self.location)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Drafts with their slugs. Those in `new` may be written only where no article has their slug."""

    drafts: list[Draft]
    new: frozenset[str]


def resolve(drafts: Sequence[Draft]) -> Resolved:
    """Gives each draft that has a path its slug: of the article imported from it before, else one that is free; and to
    one without the slug of an article that is the same. Call it inside the transaction that writes them."""
    drafts = _where_they_are(drafts)
    entries = [draft for draft in drafts if draft.path]
    if not entries:
        return Resolved(list(drafts), frozenset())
    with connection.cursor() as cursor:
        cursor.execute(_LOCK)
        cursor.execute(_KNOWN, [[draft.source for draft in entries], [draft.path for draft in entries]])
        known = {entries[place - 1]: slug for place, slug in cursor.fetchall()}
    given = {draft.slug for draft in drafts if not draft.path} | set(known.values())
    chosen, new = _choose([draft for draft in entries if draft not in known], given)
    slug_of = known | chosen
    return Resolved([replace(draft, slug=slug_of.get(draft, draft.slug)) for draft in drafts], new)


def _where_they_are(drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts, with their other slug where the article of that slug holds the same."""
    able = [draft for draft in drafts if draft.other_slug]
    if not able:
        return list(drafts)
    columns = [
        [getattr(draft, name) for draft in able] for name in ("other_slug", "title", "content", "metadata")
    ]
    with connection.cursor() as cursor:
        cursor.execute(_SAME, columns)
        there = {able[place - 1].place for (place,) in cursor.fetchall()}
    return [replace(draft, slug=draft.other_slug) if draft.place in there else draft for draft in drafts]


def record(drafts: Sequence[Draft]) -> None:
    """Records where the articles of these drafts came from; they have been written."""
    entries = [draft for draft in drafts if draft.path]
    if entries:
        columns = [[getattr(draft, name) for draft in entries] for name in ("slug", "source", "path")]
        with connection.cursor() as cursor:
            cursor.execute(_RECORD, columns)


def _choose(drafts: list[Draft], given: set[str]) -> tuple[dict[Draft, str], frozenset[str]]:
    """A slug for each draft, and those of them that no article has."""
    first = [draft.slug or slugs.slug_from(draft.title) for draft in drafts]
    held = _holders(drafts, first)
    others = {draft: list(_other_slugs(draft)) for draft in drafts}
    taken = given | _taken([slug for slugs_ in others.values() for slug in slugs_])
    chosen: dict[Draft, str] = {}
    new: set[str] = set()
    for draft, slug in zip(drafts, first, strict=True):
        is_its_own = held.get(draft)
        if slug in given or is_its_own is False:
            slug = next((other for other in others[draft] if other not in taken), others[draft][-1])
            is_its_own = None
        chosen[draft] = slug
        given.add(slug)
        taken.add(slug)
        if is_its_own is None:
            new.add(slug)
    return chosen, frozenset(new)


def _holders(drafts: list[Draft], first: list[str]) -> dict[Draft, bool]:
    """For each draft whose first choice an article has: whether that article is the draft's own."""
    with connection.cursor() as cursor:
        titles, contents = [draft.title for draft in drafts], [draft.content for draft in drafts]
        cursor.execute(_FIRST_CHOICES, [first, titles, contents])
        rows = cursor.fetchall()
    return {
        drafts[place - 1]: is_nobodys and (is_same or bool(drafts[place - 1].slug))
        for place, is_nobodys, is_same in rows
    }


def _other_slugs(draft: Draft) -> Iterator[str]:
    """Slugs that tell entries of one title apart: by their path, then by its hash; the same in every database."""
    name = draft.slug or slugs.slug_from(draft.title)
    yield slugs.joined(name, slugs.slug_from(str(PurePosixPath(draft.path).with_suffix(""))))
    yield slugs.joined(name, hashlib.sha256(f"{draft.source}\0{draft.path}".encode()).hexdigest()[:12])


def _taken(wanted: list[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_TAKEN, [wanted])
        return {slug for (slug,) in cursor.fetchall()}
