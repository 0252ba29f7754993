"""The one statement that reads the queue's state; its only parameter is `limit`, where counting stops."""

from queueops.engine import worker_loss
from queueops.models import Status
from queueops.models.metric import STEP_REFUSED
from queueops.models.worker import BRAKES_ALL_SQL
from queueops.monitoring import chunk_progress, open_failures, search_coverage

# A worker updates its row every five seconds; after this many without an update it counts as gone.
ALIVE_WITHIN_SECONDS = 30

_NOW = "statement_timestamp()"
# One statement reads one moment; times after it were written while the clock was ahead, and do not count. Each bounded
# count is served by a partial index of embedding_tasks.
_SQL = """
WITH ended AS MATERIALIZED (
    SELECT status, completed_at, completed_at > {now} - interval '5 minutes' AS lately, space_id IN (
        SELECT id FROM embedding_spaces WHERE state <> 'serving') AS is_beside FROM embedding_tasks
    WHERE completed_at BETWEEN {now} - interval '1 hour' AND {now} ORDER BY completed_at DESC LIMIT %(limit)s
), brake AS (
    SELECT coalesce(string_agg(id::text, ', ' ORDER BY id), '') AS rows, count(*) > 0 AS is_on
    FROM embedding_worker_status WHERE {brakes_all}
), workers AS (
    SELECT count(*) FILTER (WHERE is_running AND NOT is_on AND {alive}) AS alive,
           count(*) FILTER (WHERE NOT is_running OR is_on AND {alive}) AS stopped,
           count(*) FILTER (WHERE is_running AND NOT ({alive})) AS silent,
           extract(epoch FROM {now} - max(last_claim_at) FILTER (WHERE last_claim_at <= {now}))::float AS claim_age,
           coalesce(max(refusal) FILTER (WHERE {alive}), '') AS refusal,
           extract(epoch FROM {now} - min(refused_since) FILTER (WHERE {alive}))::float AS refused_for
    FROM embedding_worker_status, brake WHERE name <> '' OR NOT is_running
)
SELECT {counts},
    (SELECT count(*) FROM (SELECT FROM embedding_tasks WHERE status = 'pending' AND scheduled_at <= {now}
                           LIMIT %(limit)s) t) AS due,
    (SELECT extract(epoch FROM {now} - min(head.scheduled_at))::float
     FROM embedding_spaces s, LATERAL (
         SELECT scheduled_at FROM embedding_tasks
         WHERE space_id = s.id AND status = 'pending' AND scheduled_at <= {now} AND error_class <> 'postponed'
         ORDER BY scheduled_at LIMIT 1) head
     WHERE s.state = 'serving') AS oldest_due_age,
    (SELECT extract(epoch FROM {now} - min(head.scheduled_at))::float
     FROM embedding_spaces s, (VALUES (1), (2)) fresh (rank), LATERAL (
         SELECT scheduled_at FROM embedding_tasks
         WHERE space_id = s.id AND status = 'pending' AND priority_rank = fresh.rank AND scheduled_at <= {now}
         ORDER BY scheduled_at LIMIT 1) head
     WHERE s.state = 'serving') AS oldest_fresh_age,
    (SELECT count(*) FROM (SELECT FROM embedding_tasks WHERE status = 'processing' AND lease_expires_at < {now}
                           LIMIT %(limit)s) t) AS expired_leases,
    {failed_open} AS failed_open,
    (SELECT GREATEST(count(*) FILTER (WHERE name = '{ended}'), count(DISTINCT claimed_by))::int FROM (
        SELECT name, labels->>'claimed_by' AS claimed_by FROM performance_metrics
        WHERE name IN ('{ended}', '{lost}') AND timestamp > {now} - interval '10 minutes'
        UNION ALL  -- what they held may not be back in the queue, above all where no other worker is there to return it
        SELECT '{lost}', claimed_by FROM (
            SELECT claimed_by FROM embedding_tasks WHERE status = 'processing' AND lease_expires_at < {now}
            LIMIT %(limit)s) AS held
        WHERE NOT EXISTS (SELECT FROM embedding_worker_status w WHERE 'worker ' || w.id = claimed_by AND {alive})
     ) AS gone WHERE name = '{ended}' OR claimed_by <> ''
    ) AS workers_lost_10m,
    (SELECT count(*) FROM (SELECT FROM embedding_tasks WHERE status = 'pending' AND losses > 0
                           AND error_class = 'worker_lost' LIMIT %(limit)s) t) AS lost_waiting,
    (SELECT jsonb_object_agg(labels->>'step', coalesce(labels->>'reason', '')) FROM performance_metrics
     WHERE name = '{refused}' AND timestamp BETWEEN {now} - interval '30 seconds' AND {now} AND labels->>'step' <> ''
    ) AS steps_refused,
    (SELECT count(*) FROM ended WHERE status = 'completed' AND lately) AS completed_5m,
    (SELECT count(*) FROM ended WHERE status = 'failed' AND lately) AS failed_5m,
    (SELECT count(*) FROM ended WHERE status = 'completed' AND lately AND is_beside) AS completed_beside_5m,
    (SELECT count(*) FROM ended WHERE status = 'failed' AND lately AND is_beside) AS failed_beside_5m,
    (SELECT count(*) FROM ended WHERE status = 'completed') AS completed_1h,
    (SELECT extract(epoch FROM {now} - max(completed_at))::float FROM ended WHERE status = 'completed')
        AS last_completed_age,
    (SELECT count(*) FROM ended WHERE status = 'failed') AS failed_1h,
    (SELECT coalesce(count(*) / GREATEST(extract(epoch FROM {now} - min(completed_at)), 1), 0)::float
     FROM ended WHERE lately) AS per_second,
    begun.articles AS begun_articles, begun.chunks AS begun_chunks, begun.kept AS kept_chunks, begun.per_second
        AS chunks_per_second, begun.done_at AS chunks_done_at,
    begun.last_age AS last_chunk_age,
    {estimates},
    ({articles}) AS about_articles,
    (SELECT alive FROM workers) AS workers_alive,
    (SELECT stopped FROM workers) AS workers_stopped,
    (SELECT rows FROM brake) AS brake_rows,
    (SELECT silent FROM workers) AS workers_silent,
    (SELECT claim_age FROM workers) AS last_claim_age,
    (SELECT refusal FROM workers) AS refusal,
    (SELECT refused_for FROM workers) AS refused_for,
    current_setting('transaction_read_only')::boolean AS is_read_only,
    (SELECT extract(epoch FROM {now} - swept_at)::float FROM queue_state) AS sweep_age
FROM ({begun}) AS begun
"""
_COUNT = "(SELECT count(*) FROM (SELECT FROM embedding_tasks WHERE {where} LIMIT %(limit)s) t) AS {status}"
_WHERE = {status: f"status = '{status}'" for status in Status.values} | {
    # only ended tasks have an index by time, and completed ones have no other
    Status.COMPLETED: "status = 'completed' AND completed_at IS NOT NULL"
}
# From the newest ANALYZE: the share of each status, times the rows of the table.
_ESTIMATES = """(SELECT jsonb_object_agg(known.status, round(known.share * c.reltuples))
     FROM pg_class c, pg_stats s, unnest(s.most_common_vals::text::text[], s.most_common_freqs) known (status, share)
     WHERE c.oid = 'embedding_tasks'::regclass AND s.schemaname = current_schema()
       AND s.tablename = 'embedding_tasks' AND s.attname = 'status') AS analyzed"""
SNAPSHOT = _SQL.format(
    begun=chunk_progress.SQL,
    failed_open=open_failures.NUMBER_SQL,
    estimates=_ESTIMATES,
    articles=search_coverage.ABOUT_SQL,
    counts=", ".join(_COUNT.format(where=where, status=status) for status, where in _WHERE.items()),
    now=_NOW,
    ended=worker_loss.ENDED,
    lost=worker_loss.METRIC,
    refused=STEP_REFUSED,
    brakes_all=BRAKES_ALL_SQL,
    # Not {_NOW}, which is when the statement arrived: it sees what workers wrote while it was planned.
    alive=f"last_seen_at BETWEEN {_NOW} - interval '{ALIVE_WITHIN_SECONDS} seconds' AND clock_timestamp()",
)
