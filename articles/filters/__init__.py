"""Filters over articles' metadata: what a caller may ask, the SQL of it, and the indexes that make it quick."""

from articles.filters.parse import InvalidFilter
from articles.filters.statement import EVERYTHING, Where, where

__all__ = ["EVERYTHING", "InvalidFilter", "Where", "where"]
