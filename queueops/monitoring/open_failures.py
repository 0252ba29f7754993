"""Which failed tasks still matter. A failure is open while its article's current text has no vectors in the task's
space, and no newer task is to make them or has failed as well."""

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q

from embeddings.models import ArticleEmbedding, Space, SpaceState
from queueops.models import Status, Task

_LATER = (Status.PENDING, Status.PROCESSING, Status.FAILED)
_embedded = ArticleEmbedding.objects.filter(
    article=OuterRef("article"),
    space=OuterRef("space"),
    chunk_index=0,
    source_hash=F("article__content_hash"),
)
_newer = Task.objects.filter(
    article=OuterRef("article"), space=OuterRef("space"), pk__gt=OuterRef("pk"), status__in=_LATER
)
_receives = Q(space__in=Space.objects.exclude(state=SpaceState.RETIRED).values("pk"))
IS_OPEN = Q(status=Status.FAILED) & ~Q(Exists(_embedded)) & ~Q(Exists(_newer)) & _receives

# The same for a failed task `t`. Scalar subqueries stay one index probe per task, whatever the statistics say.
IS_OPEN_SQL = """coalesce((
        SELECT e.source_hash <> a.content_hash FROM article_embeddings e JOIN articles a ON a.id = e.article_id
        WHERE e.article_id = t.article_id AND e.space_id = t.space_id AND e.chunk_index = 0), true)
    AND (SELECT n.id FROM embedding_tasks n
         WHERE n.article_id = t.article_id AND n.space_id = t.space_id AND n.id > t.id
         AND n.status IN ('pending', 'processing', 'failed') LIMIT 1) IS NULL
    AND (SELECT s.state FROM embedding_spaces s WHERE s.id = t.space_id) <> 'retired'"""

# Whether one failure is open takes several index probes: up to this many failed tasks are judged at each call, for more
# the newest sample is used.
COUNTED_AT_ONCE = 250
# The name of the sample that queueops/maintenance/sampler.py writes, and how long it counts.
OPEN = "queue_failed_open"
_COUNT = f"""
SELECT count(*) FROM (SELECT * FROM embedding_tasks WHERE status = 'failed' ORDER BY id DESC LIMIT %(limit)s) t
WHERE {IS_OPEN_SQL}"""  # noqa: S608  the only text put in is our own
_NEWEST = f"""
SELECT value::bigint FROM performance_metrics
WHERE name = '{OPEN}' AND timestamp BETWEEN statement_timestamp() - interval '10 minutes' AND statement_timestamp()
ORDER BY timestamp DESC LIMIT 1"""  # noqa: S608
# The number of open failures as one value; its parameter is `limit`, where counting stops.
NUMBER_SQL = f"""coalesce(
        CASE WHEN (SELECT count(*) FROM (SELECT FROM embedding_tasks WHERE status = 'failed'
                                         LIMIT {COUNTED_AT_ONCE} + 1) t) > {COUNTED_AT_ONCE} THEN ({_NEWEST}) END,
        ({_COUNT}))"""  # noqa: S608


def count(limit: int) -> int:
    """The open failures among the newest `limit` failed tasks, counted now."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"limit": limit})
        return int(cursor.fetchone()[0])
