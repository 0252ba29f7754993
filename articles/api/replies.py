"""Articles and versions as the API returns them."""

from articles.api.schemas import ArticleSummary, EmbeddingState, FullArticle, VersionSummary, WrittenArticle
from articles.models import Article, ArticleVersion


def summary(article: Article, embedding: EmbeddingState) -> ArticleSummary:
    """An article in a list; its content is not read."""
    return {
        "slug": article.slug,
        "title": article.title,
        "metadata": article.metadata,
        "version_number": article.version_number,
        "created_at": article.created_at,
        "updated_at": article.updated_at,
        "embedding": embedding,
    }


def full(article: Article, embedding: EmbeddingState) -> FullArticle:
    """An article by itself."""
    return {**summary(article, embedding), "content": article.content}


def written(article: Article) -> WrittenArticle:
    """An article for those who may write and not read."""
    return {
        "slug": article.slug,
        "version_number": article.version_number,
        "created_at": article.created_at,
        "updated_at": article.updated_at,
    }


def version_summary(version: ArticleVersion) -> VersionSummary:
    """A version in a list; its content is not read."""
    return {
        "version_number": version.version_number,
        "title": version.title,
        "created_at": version.created_at,
        "author": version.author,
    }


def full_version(version: ArticleVersion) -> VersionSummary:
    """A version by itself."""
    return {**version_summary(version), "content": version.content}
