"""How many articles searches find by their current text: counted while that is cheap, else as last sampled."""

from dataclasses import dataclass

from django.db import connection

from embeddings import recipes
from embeddings.models import Space
from embeddings.storage import coverage_cache

# Up to this many articles are counted at each call; for more, the newest sample is returned.
COUNTED_AT_ONCE = 20_000
# The names of the samples written by queueops/maintenance/sampler.py.
ARTICLES, EMBEDDED = "articles", "articles_embedded"
# The planner's count, kept by vacuum and analyze; below zero before the first of them.
ABOUT_SQL = "SELECT reltuples::bigint FROM pg_class WHERE oid = 'articles'::regclass"
_NEWEST = """
SELECT value, extract(epoch FROM statement_timestamp() - timestamp)::float8 FROM performance_metrics
WHERE name = %s AND labels @> jsonb_build_object('space', %s::bigint) AND timestamp <= statement_timestamp()
ORDER BY timestamp DESC LIMIT 1
"""


@dataclass(frozen=True)
class SearchCoverage:
    """`age` is how many seconds ago this was counted; 0.0 for now."""

    articles: int
    embedded: int
    age: float = 0.0


def of(space: Space | None, about: int) -> SearchCoverage:
    """The coverage of a space; `about` is the result of ABOUT_SQL. A large corpus without a sample is counted,
    however long that takes."""
    if space is not None and about > COUNTED_AT_ONCE and (sampled := _newest(space)):
        return sampled if recipes.fits(space) else SearchCoverage(sampled.articles, 0, sampled.age)
    counted = coverage_cache.coverage(space)
    return SearchCoverage(counted.articles, counted.current)


def _newest(space: Space) -> SearchCoverage | None:
    with connection.cursor() as cursor:
        found = []
        for name in (ARTICLES, EMBEDDED):
            cursor.execute(_NEWEST, [name, space.pk])
            found.append(cursor.fetchone())
    if None in found:
        return None
    (articles, age), (embedded, _) = found
    return SearchCoverage(int(articles), int(embedded), age)
