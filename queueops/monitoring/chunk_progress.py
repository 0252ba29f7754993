"""How far articles are that are begun and not complete, how fast that goes on, and when all of them will be."""

# What was kept within the last minute says how fast; each article counts the passages it had when it was begun.
SQL = """
SELECT articles, passages, kept, per_second,
       CASE WHEN per_second > 0
            THEN statement_timestamp() + (passages - kept) / per_second * interval '1 second' END AS done_at
FROM (
    SELECT count(*) AS articles, coalesce(sum(passages), 0)::bigint AS passages, coalesce(sum(kept), 0)::bigint AS kept,
           coalesce(sum(lately) / GREATEST(extract(epoch FROM statement_timestamp() - min(since)), 1), 0)::float
               AS per_second
    FROM (SELECT max(passages) AS passages, LEAST(count(*), max(passages)) AS kept,
                 count(*) FILTER (WHERE kept_at > statement_timestamp() - interval '1 minute') AS lately,
                 min(kept_at) FILTER (WHERE kept_at > statement_timestamp() - interval '1 minute') AS since
          FROM kept_vectors GROUP BY article_id, space_id) AS each
) AS all_of_them
"""
