"""Progress of partly embedded articles: chunks done and in total, chunks per second, and when all will be done."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from lib.durations import age
from lib.rows_by_column import named_rows

# Long articles in progress of which no chunk was embedded for this long are stuck: a request takes two minutes at most.
STALLED_SECONDS = 180

# The rate is that of chunks kept within the last minute; an article counts the chunks it had when it was started.
_SQL = """
SELECT articles, chunks, kept, per_second, last_age,
       CASE WHEN per_second > 0
            THEN statement_timestamp() + (chunks - kept) / per_second * interval '1 second' END AS done_at
FROM (
    SELECT count(*) AS articles, coalesce(sum(chunks), 0)::bigint AS chunks, coalesce(sum(kept), 0)::bigint AS kept,
           coalesce(sum(lately) / GREATEST(extract(epoch FROM statement_timestamp() - min(since)), 1), 0)::float
               AS per_second,
           extract(epoch FROM statement_timestamp() - max(newest))::float AS last_age
    FROM (SELECT max(chunks_to_embed) AS chunks, LEAST(count(*), max(chunks_to_embed)) AS kept,
                 count(*) FILTER (WHERE kept_at > statement_timestamp() - interval '1 minute') AS lately,
                 max(kept_at) AS newest,
                 min(kept_at) FILTER (WHERE kept_at > statement_timestamp() - interval '1 minute') AS since
          FROM kept_vectors {of} GROUP BY article_id, space_id) AS each
) AS all_of_them
"""
SQL = _SQL.format(of="")
_OF_TASK = _SQL.format(
    of="WHERE (article_id, space_id) = (SELECT article_id, space_id FROM embedding_tasks WHERE id = %(task)s)"
)


@dataclass(frozen=True)
class ChunkProgress:
    """`kept` of `chunks` are embedded, the last `last_age` seconds ago; at the rate of the last minute, all will be at
    `done_at`, which is None while there is no rate."""

    chunks: int
    kept: int
    per_second: float
    done_at: datetime | None
    last_age: float | None

    def __str__(self) -> str:
        done = f"{self.kept:,} of {self.chunks:,} chunks embedded"
        if self.done_at is None:
            seconds = self.last_age or 0.0
            return (
                f"{done}, none {'in the last minute' if seconds < STALLED_SECONDS else f'for {age(seconds)}'}"
            )
        by = f"{self.done_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return f"{done}, {self.per_second:.1f} per second, done by {by}"


def of_task(task_id: int) -> ChunkProgress | None:
    """The progress of the task's article; None if no chunk of it is kept: it is not begun, or complete."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_TASK, {"task": task_id})
        (row,) = named_rows(cursor)
    return ChunkProgress(**row) if row.pop("articles") else None
