"""Which articles a migration is about, and how many of them at a time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from django.db.models import BooleanField, Count, F, Func, Max, Value

from articles.models import Article, ArticleQuerySet
from embeddings.models import Space
from embeddings.storage import coverage
from lib.nfc import nfc
from queueops.models import Task

# Asked as coverage.IS_CURRENT_SQL is, and for its reason: an index probe for each article, whatever statistics say.
_HAS = (
    """(SELECT true FROM embedding_tasks t WHERE t.article_id = a.id AND t.space_id = s.id AND {} LIMIT 1)"""
)
_IS_QUEUED = _HAS.format("t.status IN ('pending', 'processing')")
_HAS_FAILED = _HAS.format("t.status = 'failed' AND t.content_hash = a.content_hash")
# Of an article: some space that receives it has no vectors of its present text, no task is for it there, and …
_LACKS_SOMEWHERE = f"""
(SELECT true FROM embedding_spaces s, LATERAL (SELECT %(expressions)s) AS a (id, content_hash)
 WHERE s.state <> 'retired' AND NOT {coverage.IS_CURRENT_SQL} AND {_IS_QUEUED} IS NULL"""  # noqa: S608  ours
_IS_MISSING = f"{_LACKS_SOMEWHERE} AND {_HAS_FAILED} IS NULL LIMIT 1) IS NOT NULL"
_IS_GIVEN_UP = f"{_LACKS_SOMEWHERE} AND {_HAS_FAILED} IS NOT NULL LIMIT 1) IS NOT NULL"
_IS_GIVEN_UP_IN = f"""
(SELECT true FROM embedding_spaces s, LATERAL (SELECT %(expressions)s) AS a (id, content_hash, space_id)
 WHERE s.id = a.space_id AND s.state <> 'retired' AND NOT {coverage.IS_CURRENT_SQL} AND {_IS_QUEUED} IS NULL
   AND {_HAS_FAILED} IS NOT NULL) IS NOT NULL"""  # noqa: S608  the only text put in is our own
_IS_BEHIND = f"""
(SELECT true FROM embedding_spaces s, LATERAL (SELECT %(expressions)s) AS a (id, content_hash, space_id)
 WHERE s.id = a.space_id AND NOT {coverage.IS_CURRENT_SQL}) IS NOT NULL"""  # noqa: S608  the only text put in is our own


@dataclass(frozen=True)
class Found:
    """How many articles are missing, and the id of the last of them."""

    articles: int
    last_id: int


@dataclass(frozen=True)
class ArticleFilter:
    """Articles that fit everything that is given; without anything, all.

    `metadata` is contained in theirs, `slug` is how theirs begins, `only_failed` are those whose present text was given
    up. `limit` is how many of them at most; `stage` is the same as a share, in percent, of all that fit, so that ten
    stages of ten percent are all of them.
    """

    metadata: Mapping[str, Any] | None = None
    slug: str = ""
    only_failed: bool = False
    limit: int | None = None
    stage: float | None = None

    def fitting(self) -> ArticleQuerySet:
        """The articles that fit, whether they have vectors or not."""
        found: ArticleQuerySet = Article.objects.all()
        if self.metadata is not None:
            found = found.having(dict(self.metadata))
        return found.filter(slug__startswith=nfc(self.slug)) if self.slug else found

    def missing(self) -> ArticleQuerySet:
        """Those whose present text has no vectors in some space that receives it, that no task is for, and that was not
        parked: they are paid for again only if an operator selects them."""
        if self.only_failed:
            return self._given_up(_condition(_IS_GIVEN_UP))
        found: ArticleQuerySet = self.fitting().filter(_condition(_IS_MISSING))
        return found

    def left_out(self) -> int:
        """How many match and are not `missing` only because the task of their current text was parked."""
        if self.only_failed:
            return 0
        return self._given_up(_condition(_IS_GIVEN_UP)).exclude(_condition(_IS_MISSING)).count()

    def given_up_in(self, space: Space) -> ArticleQuerySet:
        """Those whose current text was parked in this space, and that have no other task."""
        return self._given_up(_condition(_IS_GIVEN_UP_IN, Value(space.pk)))

    def _given_up(self, condition: Func) -> ArticleQuerySet:
        """There are few tasks that failed: only their articles are looked at."""
        found: ArticleQuerySet = self.fitting().filter(
            condition, pk__in=Task.objects.failed().values("article")
        )
        return found

    def behind_in(self, space: Space) -> ArticleQuerySet:
        """Those whose present text has no vectors in this space, whatever tasks there are."""
        return self.fitting().filter(is_behind(space))

    def turn(self) -> ArticleQuerySet:
        """Those of the missing ones whose turn it is, by their ids."""
        return self.missing().order_by("pk")[: self._most()]

    def find(self) -> Found:
        """How many `turn` has, counted in one pass."""
        counted = self.turn().values("pk").aggregate(articles=Count("pk"), last=Max("pk"))
        return Found(counted["articles"], counted["last"] or 0)

    def as_json(self) -> dict[str, Any]:
        """What was given, for a JSON column."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in given.items() if value != _DEFAULTS[name]}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """The scope that `as_json` wrote."""
        return cls(**given)

    def __str__(self) -> str:
        """In words, for instance "slug guide-…, 10% at a time"; empty for everything."""
        words = [
            f"metadata {dict(self.metadata)}" if self.metadata is not None else "",
            f"slug {self.slug}…" if self.slug else "",
            "only failed" if self.only_failed else "",
            f"{self.limit:,} at most" if self.limit is not None else "",
            f"{self.stage:g}% at a time" if self.stage is not None else "",
        ]
        return ", ".join(filter(None, words))

    def _most(self) -> int | None:
        if self.stage is None:
            return self.limit
        share = math.ceil(self.fitting().count() * self.stage / 100)
        return share if self.limit is None else min(share, self.limit)


def is_behind(space: Space) -> Func:
    """Of an article, as a condition of a query: its present text has no vectors in the space."""
    return _condition(_IS_BEHIND, Value(space.pk))


def _condition(template: str, *more: Value) -> Func:
    return Func(F("id"), F("content_hash"), *more, template=template, output_field=BooleanField())


_DEFAULTS = {field.name: field.default for field in fields(ArticleFilter)}
