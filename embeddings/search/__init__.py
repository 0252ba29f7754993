"""Finds articles by meaning, by keywords, or both."""

from embeddings.search.reply import Hit, Reply, SearchMode
from embeddings.search.service import search

__all__ = ["Hit", "Reply", "SearchMode", "search"]
