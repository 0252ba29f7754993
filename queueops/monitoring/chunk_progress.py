"""Progress of partly embedded articles: chunks done and in total, chunks per second, and when all will be done."""

# The rate is that of chunks kept within the last minute; an article counts the chunks it had when it was started.
SQL = """
SELECT articles, chunks, kept, per_second, last_age,
       CASE WHEN per_second > 0
            THEN statement_timestamp() + (chunks - kept) / per_second * interval '1 second' END AS done_at
FROM (
    SELECT count(*) AS articles, coalesce(sum(chunks), 0)::bigint AS chunks, coalesce(sum(kept), 0)::bigint AS kept,
           coalesce(sum(lately) / GREATEST(extract(epoch FROM statement_timestamp() - min(since)), 1), 0)::float
               AS per_second,
           extract(epoch FROM statement_timestamp() - max(newest))::float AS last_age
    FROM (SELECT max(passages) AS chunks, LEAST(count(*), max(passages)) AS kept,
                 count(*) FILTER (WHERE kept_at > statement_timestamp() - interval '1 minute') AS lately,
                 max(kept_at) AS newest,
                 min(kept_at) FILTER (WHERE kept_at > statement_timestamp() - interval '1 minute') AS since
          FROM kept_vectors GROUP BY article_id, space_id) AS each
) AS all_of_them
"""
