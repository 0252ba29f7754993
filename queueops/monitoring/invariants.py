"""What must hold of the rows whatever happened, each a statement that returns the rows for which it does not."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Invariant:
    """`meaning` says what a row found is, and what it leads to. One that is only `at_rest` may be broken for a while
    as long as work is under way."""

    name: str
    meaning: str
    sql: str
    at_rest: bool = False


INVARIANTS = (
    Invariant(
        "task_is_one",
        "Several rows are the same task: the primary key is damaged, and two workers may hold the task at once.",
        """
        SELECT id AS task, count(*) AS rows, count(*) FILTER (WHERE lease_expires_at > statement_timestamp()) AS leases
        FROM embedding_tasks GROUP BY id HAVING count(*) > 1
        """,
    ),
    Invariant(
        "processing_is_leased",
        "A task is in progress without a lease, a token or its worker's name: no sweep will release it.",
        """
        SELECT id AS task, claimed_by, claim_token, lease_expires_at::text FROM embedding_tasks
        WHERE status = 'processing' AND (lease_expires_at IS NULL OR claim_token IS NULL OR claimed_by = '')
        """,
    ),
    Invariant(
        "only_processing_is_leased",
        "A task that is not in progress still has a lease or a token: a former worker could still write.",
        """
        SELECT id AS task, status, claim_token, lease_expires_at::text FROM embedding_tasks
        WHERE status <> 'processing' AND (lease_expires_at IS NOT NULL OR claim_token IS NOT NULL)
        """,
    ),
    Invariant(
        "turn_comes",
        "A task is due, or its lease ends, over a year from now: no worker or sweep will process it.",
        """
        SELECT id AS task, status, scheduled_at::text, lease_expires_at::text FROM embedding_tasks
        WHERE CASE status WHEN 'pending' THEN scheduled_at WHEN 'processing' THEN lease_expires_at END
              > statement_timestamp() + interval '1 year'
        """,
    ),
    Invariant(
        "retired_is_empty",
        "A task has been pending in a retired space for over an hour: no worker claims it, and no sweep has ended it.",
        """
        SELECT t.id AS task, s.id AS space, t.created_at::text, s.retired_at::text
        FROM embedding_tasks t JOIN embedding_spaces s ON s.id = t.space_id
        WHERE t.status = 'pending' AND s.state = 'retired'
          AND GREATEST(t.created_at, s.retired_at) < statement_timestamp() - interval '1 hour'
        """,
    ),
    Invariant(
        "one_pending",
        "Several tasks wait for one article in one space: the unique index is missing or damaged, and the text is "
        "paid for twice.",
        """
        SELECT article_id AS article, space_id AS space, array_agg(id ORDER BY id) AS tasks
        FROM embedding_tasks WHERE status = 'pending' GROUP BY article_id, space_id HAVING count(*) > 1
        """,
    ),
    Invariant(
        "attempts_are_counted",
        "A task has had more attempts than allowed, or is in progress without a charged attempt: a text that kills "
        "its worker would never be parked.",
        """
        SELECT id AS task, status, attempts, max_attempts FROM embedding_tasks
        WHERE attempts > max_attempts
           OR status = 'pending' AND attempts >= max_attempts
           OR status = 'processing' AND attempts < 1
        """,
    ),
    Invariant(
        "outcome_fits_status",
        "A task's end does not match its status: it ended without a time or an outcome, or has one and did not end.",
        """
        SELECT id AS task, status, outcome, completed_at FROM embedding_tasks
        WHERE CASE status
            WHEN 'completed' THEN outcome NOT IN ('embedded', 'unchanged', 'empty', 'superseded')
            WHEN 'failed' THEN outcome <> 'failed'
            ELSE outcome <> ''
        END OR (completed_at IS NULL) <> (status IN ('pending', 'processing'))
        """,
    ),
    Invariant(
        "parked_until_requeued",
        "A task that was parked or cancelled is active again, and the audit log does not show who requeued it.",
        """
        SELECT t.id AS task, t.status, audit.parked AS parked_in_audit_row
        FROM embedding_tasks t JOIN (
            SELECT task_id,
                max(id) FILTER (WHERE event IN ('parked', 'cancelled', 'cleared', 'failed')
                                   OR event = 'put back' AND is_parked) AS parked,
                max(id) FILTER (WHERE event IN ('requeued', 'completed')
                                   OR event = 'put back' AND NOT is_parked) AS requeued
            FROM embedding_audit_logs,
                coalesce(metadata->'after'->>'status' IN ('failed', 'cancelled'), false) AS is_parked
            WHERE task_id IS NOT NULL GROUP BY task_id
        ) audit ON audit.task_id = t.id
        WHERE t.status NOT IN ('failed', 'cancelled') AND audit.parked > coalesce(audit.requeued, 0)
        """,
    ),
    Invariant(
        "operation_is_counted",
        "An operation counts more or fewer changed tasks than it has audit rows: a kill lost some, or they were "
        "changed twice.",
        """
        SELECT o.id AS operation, o.status, o.total, o.changed, o.skipped, count(a.id) AS audit_rows
        FROM embedding_operations o
        LEFT JOIN embedding_audit_logs a ON a.operation_id = o.id AND a.task_id IS NOT NULL
        WHERE o.started_at >= (SELECT min(timestamp) FROM embedding_audit_logs)  -- none is past its retention
        GROUP BY o.id  -- what a migration has queued says so itself
        HAVING o.verb <> 'migrate' AND count(a.id) <> o.changed
            OR o.status = 'done' AND o.changed + o.skipped <> o.total
        """,
    ),
    Invariant(
        "audit_is_append_only",
        "The trigger that protects audit rows from changes is missing or disabled: the history proves nothing.",
        """
        SELECT 'embedding_audit_logs_append_only' AS trigger
        WHERE NOT EXISTS (
            SELECT 1 FROM pg_trigger WHERE tgname = 'embedding_audit_logs_append_only' AND tgenabled IN ('O', 'A')
              AND tgrelid = 'embedding_audit_logs'::regclass)
        """,
    ),
    Invariant(
        "task_has_its_article",
        "A task refers to an article or a space that no longer exists: it can never end.",
        """
        SELECT t.id AS task, t.status, t.article_id AS article, t.space_id AS space FROM embedding_tasks t
        WHERE NOT EXISTS (SELECT 1 FROM articles a WHERE a.id = t.article_id)
           OR NOT EXISTS (SELECT 1 FROM embedding_spaces s WHERE s.id = t.space_id)
        """,
    ),
    Invariant(
        "vector_has_its_article",
        "A vector refers to an article or a space that no longer exists: searches find deleted text.",
        """
        SELECT e.id AS embedding, e.article_id AS article, e.space_id AS space FROM article_embeddings e
        WHERE NOT EXISTS (SELECT 1 FROM articles a WHERE a.id = e.article_id)
           OR NOT EXISTS (SELECT 1 FROM embedding_spaces s WHERE s.id = e.space_id)
        """,
    ),
    Invariant(
        "chunks_are_complete",
        "An article's chunks in a space are not one complete set of one text: some are missing, duplicated or from "
        "another version.",
        """
        SELECT article_id AS article, space_id AS space, count(*) AS chunks, max(chunk_count) AS of,
               max(chunk_index) AS last, min(source_version) AS from_version, max(source_version) AS to_version
        FROM article_embeddings GROUP BY article_id, space_id
        HAVING count(*) <> greatest(max(chunk_count), 1) OR min(chunk_count) <> max(chunk_count)
            OR max(chunk_index) <> count(*) - 1 OR sum(chunk_index) <> count(*) * (count(*) - 1) / 2
            OR min(source_version) <> max(source_version)
            OR min(source_hash::text) <> max(source_hash::text)
        """,
    ),
    Invariant(
        "vector_fits_its_space",
        "A vector does not have the width of its space: it was computed by another model.",
        """
        SELECT e.id AS embedding, e.article_id AS article, e.space_id AS space,
               vector_dims(e.embedding) AS width, s.dimensions AS of
        FROM article_embeddings e JOIN embedding_spaces s ON s.id = e.space_id
        WHERE vector_dims(e.embedding) <> s.dimensions
        """,
    ),
    Invariant(
        "vector_means_something",
        "A chunk has no vector, or one with only zeros or with values that are not finite: no search can find it.",
        """
        SELECT id AS embedding, article_id AS article, space_id AS space, chunk_index AS chunk
        FROM article_embeddings
        WHERE (embedding IS NULL) <> (chunk_count = 0) OR vector_norm(embedding) IN (0, 'NaN', 'Infinity')
        """,
    ),
    Invariant(
        "kept_vector_fits_its_space",
        "A vector kept for an incomplete article does not have the width of its space: the article would be stored "
        "with vectors of another model.",
        """
        SELECT k.id AS kept, k.article_id AS article, k.space_id AS space, octet_length(k.embedding) AS bytes
        FROM kept_vectors k JOIN embedding_spaces s ON s.id = k.space_id
        WHERE octet_length(k.embedding) <> 4 + 4 * s.dimensions
        """,
    ),
    Invariant(
        "empty_is_blank",
        "An article is recorded as having nothing to embed, although its text is unchanged and not blank.",
        """
        SELECT a.id AS article, e.space_id AS space, a.version_number AS version
        FROM article_embeddings e JOIN articles a ON a.id = e.article_id AND a.content_hash = e.source_hash
        WHERE e.chunk_count = 0 AND btrim(a.content, %(blank)s) <> ''
        """,
    ),
    Invariant(
        "nothing_is_under_way",
        "Tasks are still pending or processing: wait until the queue is empty, or run without --at-rest.",
        """
        SELECT id AS task, status, scheduled_at::text, lease_expires_at::text, error_class FROM embedding_tasks
        WHERE status IN ('pending', 'processing')
        """,
        at_rest=True,
    ),
    Invariant(
        "kept_vector_is_needed",
        "A vector is kept for an article without a task: the sweep, which would remove it, does not run.",
        """
        SELECT k.article_id AS article, k.space_id AS space, count(*) AS vectors FROM kept_vectors k
        WHERE kept_at < statement_timestamp() - interval '1 hour'
          AND NOT EXISTS (SELECT 1 FROM embedding_tasks t WHERE t.article_id = k.article_id
                          AND t.space_id = k.space_id AND t.status IN ('pending', 'processing'))
        GROUP BY k.article_id, k.space_id
        """,
        at_rest=True,
    ),
    Invariant(
        "every_text_is_embedded_or_parked",
        "An article's current text has no vectors in a space that receives it, and no pending or parked task: the "
        "change is lost until the sweep finds it.",
        """
        SELECT a.id AS article, a.slug, a.version_number AS version, s.id AS space
        FROM articles a CROSS JOIN embedding_spaces s
        WHERE s.state <> 'retired'
          AND NOT EXISTS (SELECT 1 FROM article_embeddings e WHERE e.article_id = a.id AND e.space_id = s.id
                          AND e.chunk_index = 0 AND e.source_hash = a.content_hash)
          AND NOT EXISTS (SELECT 1 FROM embedding_tasks t WHERE t.article_id = a.id AND t.space_id = s.id
                          AND (t.status IN ('pending', 'processing')
                               OR t.status IN ('failed', 'cancelled') AND t.content_hash = a.content_hash))
        """,
        at_rest=True,
    ),
)
