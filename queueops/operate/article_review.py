"""After texts may have been damaged: marks the articles of a window of time for review, and restores their text."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from articles.models import Article, ArticleVersion
from queueops.models import AuditLog, Category

MARK = "needs_review"
_BATCH = 500

# A worker began their task in the window, or their text changed in it.
_AFFECTED = """
SELECT {what} FROM articles a WHERE a.id > %(past)s AND (
    EXISTS (SELECT FROM embedding_tasks t WHERE t.article_id = a.id
            AND t.processed_at BETWEEN %(since)s AND %(until)s)
    OR EXISTS (SELECT FROM article_versions v WHERE v.article_id = a.id
               AND v.created_at BETWEEN %(since)s AND %(until)s)
) {rest}
"""
_COUNT = _AFFECTED.format(what="count(*)", rest="")
# The newest text is of the window, and the one from before it is another: what Review.restore brings back.
_COUNT_RESTORABLE = _AFFECTED.format(
    what="count(*)",
    rest="""AND (SELECT max(v.created_at) FROM article_versions v WHERE v.article_id = a.id)
                BETWEEN %(since)s AND %(until)s
    AND EXISTS (SELECT FROM (
        SELECT title, content FROM article_versions v WHERE v.article_id = a.id AND v.created_at < %(since)s
        ORDER BY version_number DESC LIMIT 1
    ) earlier WHERE (earlier.title, earlier.content) IS DISTINCT FROM (a.title, a.content))""",
)
_NEXT = _AFFECTED.format(what="a.id", rest="ORDER BY a.id LIMIT %(batch)s")
_FLAG = """
UPDATE articles SET metadata = coalesce(metadata, '{}') || jsonb_build_object(%(mark)s::text, true),
    updated_at = clock_timestamp()
WHERE id = ANY(%(articles)s) AND NOT metadata @> jsonb_build_object(%(mark)s::text, true)
"""
_UNFLAG = """
UPDATE articles SET metadata = metadata - %(mark)s::text, updated_at = clock_timestamp()
WHERE id = ANY(%(articles)s) AND metadata ? %(mark)s
"""


@dataclass(frozen=True)
class Window:
    """From `since` to `until`, both included."""

    since: datetime
    until: datetime

    def count(self) -> int:
        """How many articles a worker worked on in it, or had their text changed in it."""
        return self._count(_COUNT)

    def count_restorable(self) -> int:
        """How many of them have another text from before it and were not changed since."""
        return self._count(_COUNT_RESTORABLE)

    def _count(self, statement: str) -> int:
        with connection.cursor() as cursor:
            cursor.execute(statement, {**vars(self), "past": 0})
            return int(cursor.fetchone()[0])

    def batches(self) -> Iterator[list[int]]:
        """Their ids, in order."""
        past = 0
        while True:
            with connection.cursor() as cursor:
                cursor.execute(_NEXT, {**vars(self), "past": past, "batch": _BATCH})
                ids = [article_id for (article_id,) in cursor.fetchall()]
            if not ids:
                return
            yield ids
            past = ids[-1]


@dataclass(frozen=True)
class Done:
    """What an act has done to a batch: articles looked at and changed; without an earlier text, or changed since."""

    articles: int = 0
    changed: int = 0
    without_earlier: int = 0
    changed_since: int = 0

    def __add__(self, other: "Done") -> "Done":
        return Done(
            *(mine + theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True))
        )


@dataclass(frozen=True)
class Review:
    """Who reviews, why, and the operation that all of it belongs to."""

    actor: str
    reason: str
    operation: uuid.UUID

    def flag(self, window: Window) -> Iterator[Done]:
        """Marks the articles in their metadata; a transaction with its audit row for each batch."""
        return self._mark(window, _FLAG, "articles marked for review")

    def unflag(self, window: Window) -> Iterator[Done]:
        """Takes the mark away again."""
        return self._mark(window, _UNFLAG, "articles no longer marked for review")

    def restore(self, window: Window) -> Iterator[Done]:
        """Makes the text from before the window each article's newest version. The window's own changes stay as
        versions; an article that was changed after the window keeps its text."""
        for ids in window.batches():
            with transaction.atomic():
                done = sum((self._restored(article, window) for article in _locked(ids)), Done())
                self._note("articles restored to their text before the window", window, done.changed)
            yield done

    def _mark(self, window: Window, statement: str, message: str) -> Iterator[Done]:
        for ids in window.batches():
            with transaction.atomic():
                _locked(ids)
                with connection.cursor() as cursor:
                    cursor.execute(statement, {"articles": ids, "mark": MARK})
                    changed = cursor.rowcount
                self._note(message, window, changed)
            yield Done(len(ids), changed)

    def _restored(self, article: Article, window: Window) -> Done:
        versions = ArticleVersion.objects.filter(article=article)
        newest, earlier = versions.first(), versions.filter(created_at__lt=window.since).first()
        if newest is None or newest.created_at < window.since:
            return Done(1)
        if newest.created_at > window.until:
            return Done(1, changed_since=1)
        if earlier is None:
            return Done(1, without_earlier=1)
        before = article.version_number
        article.restore(earlier.version_number, author=self.actor)
        return Done(1, changed=int(article.version_number != before))

    def _note(self, message: str, window: Window, changed: int) -> None:
        scope: dict[str, Any] = {
            "verb": "review_flag",
            "since": str(window.since),
            "until": str(window.until),
        }
        AuditLog.objects.create(
            category=Category.OPERATOR,
            actor=self.actor,
            operation_id=self.operation,
            message=message,
            metadata={"reason": self.reason, "scope": scope, "articles": changed},
        )


def _locked(ids: list[int]) -> list[Article]:
    """The articles, in the order in which everybody locks them."""
    return list(Article.objects.filter(pk__in=ids).order_by("pk").locked())
