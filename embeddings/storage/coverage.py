"""Which articles a space is behind on; the rooms above decide what to do about it."""

from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, QuerySet

from articles.models import Article
from embeddings.models import ArticleEmbedding, Space

# The same condition in SQL, for statements over `articles a` and `embedding_spaces s`. A scalar subquery stays one
# index probe per article; an anti-join may read the whole table with stale statistics, that is, after many saves.
IS_CURRENT_SQL = """coalesce(a.content_hash = (SELECT e.source_hash FROM article_embeddings e
                    WHERE e.article_id = a.id AND e.space_id = s.id AND e.chunk_index = 0), false)"""


@dataclass(frozen=True)
class Coverage:
    articles: int
    current: int

    @property
    def share(self) -> float:
        """0.0 to 1.0; an empty corpus is covered."""
        return self.current / self.articles if self.articles else 1.0


def _current_rows(space: Space) -> QuerySet[ArticleEmbedding]:
    return ArticleEmbedding.objects.filter(space=space, chunk_index=0)


def behind(space: Space) -> QuerySet[Article]:
    """Articles whose current text has no vectors in this space."""
    current = _current_rows(space).filter(article=OuterRef("pk"), source_hash=OuterRef("content_hash"))
    return Article.objects.filter(~Exists(current))


def of(space: Space) -> Coverage:
    """How many articles there are, and how many are up to date in this space."""
    current = _current_rows(space).filter(source_hash=F("article__content_hash"))
    return Coverage(Article.objects.count(), current.count())
