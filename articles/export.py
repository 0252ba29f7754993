"""Tells every article as JSON lines, a page of rows at a time, in the form that an import takes back."""

import json
from collections.abc import Iterator
from datetime import datetime

from articles.models import Article, ArticleQuerySet

_FIELDS = ("slug", "title", "content", "metadata", "version_number", "created_at", "updated_at")
_PAGE = 100  # rows held at a time: some hundred megabytes at the very most, a hundred kilobytes as a rule
# JSON takes these as they are, but to some readers of lines they end one.
_LINE_ENDS = str.maketrans({char: f"\\u{ord(char):04x}" for char in "\x85\u2028\u2029"})


def jsonl_lines(articles: ArticleQuerySet | None = None) -> Iterator[str]:
    """One line, its end included, for each article in the order of their ids; all of them by default.

    Reads page after page by id, so neither a transaction nor a cursor stays open however slow the reader is:
    articles written meanwhile appear as they are when their page is read.
    """
    wanted = Article.objects.all() if articles is None else articles
    wanted = wanted.order_by("id").values("id", *_FIELDS, "provenance__source", "provenance__path")
    last_id = 0
    while page := list(wanted.filter(id__gt=last_id)[:_PAGE]):
        for article in page:
            last_id = article.pop("id")
            source, path = article.pop("provenance__source"), article.pop("provenance__path")
            if source:
                article["provenance"] = {"source": source, "path": path}
            yield json.dumps(article, ensure_ascii=False, default=_as_text).translate(_LINE_ENDS) + "\n"


def _as_text(moment: datetime) -> str:
    return moment.isoformat()
