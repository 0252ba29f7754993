"""Runs an import: entries in, checked, given their slugs, and written in batches of bounded size."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.db import reset_queries

from articles.importing.drafts import Draft, draft_from
from articles.importing.entries import Entry, RefusedEntry, Source
from articles.importing.identity import Origin
from articles.importing.ledger import SlugLedger
from articles.importing.writer import BatchResult, write_batch

# Long articles close a batch early: this many characters are held at a time, whatever the batch size.
_MAX_BATCH_CHARACTERS = 4_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """One batch that is committed, and how far the source has been read by then."""

    result: BatchResult
    position: int


def run(source: Source, batch_size: int, author: str = "", origin: Origin | None = None) -> Iterator[Step]:
    """Imports the source, one step a batch; what an earlier step wrote stays, whatever happens later. `origin` is
    the source that entries with a path belong to. Raises SourceUnreadable."""
    origin = origin or Origin(source.name)
    with SlugLedger(source.again) as ledger:
        drafts: list[Draft] = []
        refusals: list[RefusedEntry] = []
        characters = 0
        position = 0
        for entry in source.entries:
            position = entry.position
            item = _checked(entry, ledger, origin)
            if isinstance(item, RefusedEntry):
                refusals.append(item)
            else:
                drafts.append(item)
                characters += item.size
            if len(drafts) + len(refusals) >= batch_size or characters >= _MAX_BATCH_CHARACTERS:
                yield _step(drafts, refusals, position, author)
                drafts, refusals, characters = [], [], 0
        if drafts or refusals:
            yield _step(drafts, refusals, position, author)


def _checked(entry: Entry, ledger: SlugLedger, origin: Origin) -> Draft | RefusedEntry:
    item = entry if isinstance(entry, RefusedEntry) else draft_from(entry)
    if isinstance(item, Draft) and item.path and not item.source:
        item = replace(item, source=origin.claim())
    return item if isinstance(item, RefusedEntry) else ledger.enter(item)


def _step(drafts: list[Draft], refusals: list[RefusedEntry], position: int, author: str) -> Step:
    result = BatchResult(refusals=tuple(refusals)) + write_batch(drafts, author)
    reset_queries()  # with DEBUG on Django keeps every statement, an import's whole text
    return Step(result, position)
