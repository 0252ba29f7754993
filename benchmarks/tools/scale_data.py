"""Fills a database as a long-lived installation looks: most tasks completed long ago, some due, some failed."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from benchmarks.tools import clusters
from benchmarks.tools.clusters import Data, Matrix
from benchmarks.tools.stack import DIMENSIONS
from embeddings.storage import vectors
from embeddings.storage.vectors import StoredChunk, WireVector

# What ends within an hour does not depend on how long the history is.
LAST_HOUR = 500
_BATCH = 10_000
_DRAWN = 100_000
_NOISE = 0.02
_VOCABULARY = 400
_PARAGRAPHS = f"""
CREATE TEMP TABLE paragraphs AS
SELECT p AS id, string_agg('term' || (hashint4(p * 97 + w) & 2147483647) % {_VOCABULARY}, ' ' ORDER BY w) AS words
FROM generate_series(0, 999) p, generate_series(1, 50) w GROUP BY p
"""
_ARTICLES = """
WITH written AS (
    INSERT INTO articles (slug, title, content, metadata, version_number, created_at)
    SELECT 'article-' || n, 'Article ' || n || ' about term' || n %% 400, p.words || ' and number ' || n,
           jsonb_build_object('hundredth', n %% 100, 'group', n / 100), 1, now() - (%(n)s - n) * interval '1 second'
    FROM generate_series(1, %(n)s) n JOIN paragraphs p ON p.id = n %% 1000 ORDER BY n
    RETURNING id, title, content
)
INSERT INTO article_versions (article_id, version_number, title, content) SELECT id, 1, title, content FROM written
"""
# Of a hundred tasks 94 are completed, 5 due and 1 failed; the newest completed ones ended within the hour.
_TASKS = """
INSERT INTO embedding_tasks (article_id, slug, space_id, status, priority, attempts, created_at, scheduled_at,
    processed_at, completed_at, claimed_by, source_version, content_hash, outcome,
    error_class, error_message, metadata)
SELECT a.id, a.slug, s.id, kind.status, CASE WHEN a.id %% 3 = 0 THEN 'low' ELSE 'normal' END,
       CASE WHEN kind.status = 'pending' THEN 0 ELSE 1 END, kind.at, kind.at,
       CASE WHEN kind.status <> 'pending' THEN kind.at END,
       CASE WHEN kind.status <> 'pending' THEN kind.at + interval '1 second' END,
       CASE WHEN kind.status = 'pending' THEN '' ELSE 'worker 2' END, 1, a.content_hash,
       CASE kind.status WHEN 'completed' THEN 'embedded' WHEN 'failed' THEN 'failed' ELSE '' END,
       CASE kind.status WHEN 'failed' THEN (ARRAY['transient', 'invalid_input', 'too_long'])[1 + a.id %% 3] ELSE '' END,
       CASE kind.status WHEN 'failed' THEN 'the provider answered 500' ELSE '' END, '{"reason": "edit"}'
FROM articles a CROSS JOIN embedding_spaces s, LATERAL (
    SELECT CASE WHEN a.id %% 20 = 0 THEN 'pending'
                WHEN a.id %% 100 = 1 THEN 'failed' ELSE 'completed' END AS status,
           now() - CASE WHEN a.id > %(n)s - %(last_hour)s THEN (%(n)s - a.id) * interval '5 seconds'
                        ELSE interval '2 hours' + (%(n)s - a.id) * interval '28 days' / %(n)s END AS at
) kind ORDER BY a.id
"""
_OTHERS = [
    """INSERT INTO embedding_audit_logs (timestamp, category, message, task_id)
    SELECT now() - (%(n)s - n) * interval '28 days' / %(n)s, 'engine', 'parked', n FROM generate_series(1, %(n)s) n""",
    """INSERT INTO performance_metrics (timestamp, name, value)
    SELECT now() - interval '15 minutes' - (%(n)s - n) * interval '28 days' / %(n)s, 'name_' || n %% 12, n
    FROM generate_series(1, %(n)s) n""",
]
# The vectors of a due or failed article are those of an older text.
_BEHIND = """
UPDATE article_embeddings e SET source_hash = '00000000-0000-0000-0000-000000000000' FROM embedding_tasks t
WHERE t.article_id = e.article_id AND t.status IN ('pending', 'failed')
"""


def fill(space_id: int, count: int) -> None:
    """Articles with a version, a task and a vector each, as many audit rows and metrics."""
    with connection.cursor() as cursor:
        cursor.execute(_PARAGRAPHS)
        for statement in (_ARTICLES, _TASKS, *_OTHERS):
            cursor.execute(statement, {"n": count, "last_hour": LAST_HOUR})
    _write_vectors(space_id, count)
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND)
        cursor.execute("VACUUM ANALYZE")


def queries(count: int) -> list[WireVector]:
    """Vectors to look for, the same for each size."""
    return vectors.to_wire(clusters.clustered(1, count, DIMENSIONS).queries)


def _write_vectors(space_id: int, count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, content_hash FROM articles ORDER BY id")
        known = cursor.fetchall()
    drawn = clusters.clustered(min(count, _DRAWN), 1, DIMENSIONS)
    for first, part in _parts(drawn, count):
        wires = vectors.to_wire(part)
        ids = known[first : first + len(part)]
        with transaction.atomic():
            vectors.replace(space_id, [article_id for article_id, _ in ids], _chunks(ids, wires))


def _chunks(articles: Sequence[tuple[int, UUID]], wires: Sequence[WireVector]) -> Iterator[StoredChunk]:
    for (article_id, content_hash), wire in zip(articles, wires, strict=True):
        yield StoredChunk(article_id, 0, 1, 0, 100, article_id.to_bytes(16), 1, content_hash, wire)


def _parts(drawn: Data, count: int) -> Iterator[tuple[int, Matrix]]:
    """Batches of `count` vectors: those drawn, and after them neighbours of theirs."""
    noise = np.random.default_rng(3)
    for first in range(0, count, _BATCH):
        rows = np.arange(first, min(first + _BATCH, count)) % len(drawn.vectors)
        part = drawn.vectors[rows]
        if first >= len(drawn.vectors):
            part = part + np.float32(_NOISE) * noise.standard_normal(part.shape, dtype=np.float32)
        yield first, (part / np.linalg.norm(part, axis=1, keepdims=True)).astype(np.float32)
