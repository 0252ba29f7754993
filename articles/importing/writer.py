"""Writes articles set by set: one statement a batch, safe beside other imports and API writes."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import DataError, IntegrityError, OperationalError, connection, transaction
from psycopg import errors

from articles.importing import identity
from articles.importing.drafts import Draft
from articles.importing.entries import RefusedEntry
from articles.models import Article
from articles.signals import articles_written

_TRIES = 5

# Rows that hold the same already are left alone before the INSERT locks them; ON CONFLICT settles races with others.
# A version row is due where the text changed: where only metadata did, the article's number already has one. A number
# that is taken, or beyond the bound, gives way to a free one (articles/migrations/0007).
_WRITE = """
WITH given AS (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::jsonb[])
        WITH ORDINALITY AS given (slug, title, content, metadata, place)
), written AS (
    INSERT INTO articles AS held (slug, title, content, metadata, version_number, created_at, updated_at)
    SELECT slug, title, content, metadata, 1, statement_timestamp(), statement_timestamp() FROM given
    WHERE NOT EXISTS (
        SELECT FROM articles same WHERE same.slug = given.slug
            AND (same.title, same.content, same.metadata) = (given.title, given.content, given.metadata)
    )
    ORDER BY place
    ON CONFLICT (slug) DO UPDATE SET
        title = excluded.title, content = excluded.content, metadata = excluded.metadata,
        version_number = CASE
            WHEN (held.title, held.content) = (excluded.title, excluded.content) THEN held.version_number
            WHEN held.version_number < 2000000000 THEN held.version_number + 1 ELSE 1 END,
        updated_at = excluded.updated_at
    WHERE (held.title, held.content, held.metadata)
        IS DISTINCT FROM (excluded.title, excluded.content, excluded.metadata)
        AND held.slug <> ALL(%s::text[])
    RETURNING id, slug, version_number, title, content, updated_at, xmax = 0 AS is_new
), versions AS (
    INSERT INTO article_versions (article_id, version_number, title, content, created_at, author)
    SELECT id, version_number, title, content, updated_at, %s FROM written
    ON CONFLICT (article_id, version_number) DO NOTHING
    RETURNING article_id
)
SELECT written.id, written.slug, is_new, article_id IS NOT NULL AS text_is_new
FROM written LEFT JOIN versions ON article_id = written.id ORDER BY written.id
"""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The result of a batch."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refusals: tuple[RefusedEntry, ...] = ()

    def __add__(self, other: "BatchResult") -> "BatchResult":
        return BatchResult(
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.refusals + other.refusals,
        )


def write_batch(drafts: Sequence[Draft], author: str = "") -> BatchResult:
    """Creates or updates the articles of these drafts, in one transaction; matched by source and path, or by slug
    where a draft has no path.

    Slugs must differ within the batch. Sends articles_written inside the transaction. A draft that the database
    refuses is reported and the rest is written. A deadlock with another writer is tried again.
    """
    for last_try in [False] * (_TRIES - 1) + [True]:
        try:
            with transaction.atomic():
                return _write(drafts, author)
        except OperationalError as error:
            if last_try or not isinstance(
                error.__cause__, errors.DeadlockDetected | errors.SerializationFailure
            ):
                raise
    raise AssertionError("the last try returns or raises")


def _write(drafts: Sequence[Draft], author: str) -> BatchResult:
    if not drafts:
        return BatchResult()
    try:
        with transaction.atomic():
            return _write_set(drafts, author)
    except (DataError, IntegrityError, OperationalError) as error:
        if not _is_about_a_row(error):
            raise
        if len(drafts) == 1:
            return BatchResult(
                refusals=(RefusedEntry(drafts[0].place, f"the database refused it: {_reason(error)}"),)
            )
    half = len(drafts) // 2
    return _write(drafts[:half], author) + _write(drafts[half:], author)


def _write_set(drafts: Sequence[Draft], author: str) -> BatchResult:
    resolved = identity.resolve(drafts)
    rows = _write_rows(resolved, author)
    if with_new_text := [article_id for article_id, _, _, text_is_new in rows if text_is_new]:
        articles_written.send(sender=Article, article_ids=with_new_text, reason="import")
    without_slug = resolved.new - {slug for _, slug, _, _ in rows}  # somebody else took it meanwhile
    identity.record([draft for draft in resolved.drafts if draft.slug not in without_slug])
    created = sum(is_new for _, _, is_new, _ in rows)
    result = BatchResult(created, len(rows) - created, len(drafts) - len(rows) - len(without_slug))
    again = [draft for draft, its in zip(drafts, resolved.drafts, strict=True) if its.slug in without_slug]
    return result + _write_set(again, author) if again else result


def _write_rows(resolved: identity.Resolved, author: str) -> list[tuple[int, str, bool, bool]]:
    """Id and slug of each row that was written, whether it is new, and whether its text is."""
    columns = [
        [getattr(draft, name) for draft in resolved.drafts]
        for name in ("slug", "title", "content", "metadata")
    ]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [*columns, list(resolved.new), author])
        rows: list[tuple[int, str, bool, bool]] = cursor.fetchall()
        return rows


def _is_about_a_row(error: Exception) -> bool:
    """Whether one row's values are to blame, so that the others can be written without it."""
    cause = error.__cause__
    return isinstance(cause, errors.DataError | errors.IntegrityError | errors.ProgramLimitExceeded)


def _reason(error: Exception) -> str:
    diagnostic = getattr(error.__cause__, "diag", None)
    return getattr(diagnostic, "message_primary", None) or str(error).splitlines()[0]
