"""Puts many articles into the database set by set, quicker than any face of the product would."""

import itertools
from collections.abc import Iterator

from benchmarks.tools import texts
from benchmarks.tools.stack import Stack

_BATCH = 5_000
_ARTICLES = """
WITH written AS (
    INSERT INTO articles (slug, title, content, metadata, version_number)
    SELECT slug, title, content, jsonb_build_object('hundredth', place %% 100), 1
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]) AS given (slug, title, content, place)
    RETURNING id, title, content
)
INSERT INTO article_versions (article_id, version_number, title, content) SELECT id, 1, title, content FROM written
"""
_TASKS = """
INSERT INTO embedding_tasks (article_id, slug, space_id, source_version, content_hash, metadata)
SELECT a.id, a.slug, s.id, a.version_number, a.content_hash, '{"reason": "import"}'
FROM articles a CROSS JOIN embedding_spaces s ORDER BY a.id
"""


def write_articles(stack: Stack, count: int, *, with_tasks: bool) -> None:
    """`count` articles with their first versions, and a pending task each; all are there at once.

    Their metadata says {"hundredth": 0..99}, so that a filter can keep one in a hundred.
    """
    with stack.database.transaction():
        for first, batch in _batches(count):
            slugs, titles, contents = zip(*batch, strict=True)
            places = list(range(first, first + len(batch)))
            stack.database.execute(_ARTICLES, [list(slugs), list(titles), list(contents), places])
        if with_tasks:
            stack.database.execute(_TASKS)


def _batches(count: int) -> Iterator[tuple[int, list[texts.Text]]]:
    made = texts.articles(count)
    first = 0
    while batch := list(itertools.islice(made, _BATCH)):
        yield first, batch
        first += len(batch)
