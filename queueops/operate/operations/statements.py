"""The SQL of each verb on a batch of tasks: one statement that locks, judges, changes and writes the audit rows.

A row that another session has locked is skipped and tried later (SKIP LOCKED), so an operation waits for no other
session: not for a worker that settles, nor for an editor's save. Others wait for one batch at most. The outcomes are in
models/operation.py.
"""

from queueops.engine import worker_loss
from queueops.models.operation import BUSY
from queueops.operate.operations.sql import LOCKED, RETIRED, UNHELD, WAITS_ALREADY, from_to, logged

ENDED_ON_PURPOSE = "kept: it records that this text was ended on purpose"

_CANCELLED = f"status = 'cancelled', completed_at = statement_timestamp(), error_message = %(why)s, {UNHELD}"
ANSWERS = "SELECT id, answer FROM judged"
_WHOLE_ROW = "to_jsonb(l) - 'priority_rank'"

# The articles are locked too: one that is being saved or settled right now is passed over, since its save may be about
# to make the very task that would be in our way.
MAY_REQUEUE = f"""
WITH free AS MATERIALIZED (
    SELECT a.id, a.version_number, a.content_hash FROM articles a
    WHERE a.id IN (SELECT article_id FROM embedding_tasks WHERE id = ANY(%(ids)s::bigint[]))
    ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
), {LOCKED},
judged AS MATERIALIZED (
    SELECT l.id, a.version_number, a.content_hash, CASE
        WHEN a.id IS NULL THEN '{BUSY}'
        WHEN s.state = 'retired' THEN '{RETIRED}'
        WHEN 1 < row_number() OVER (PARTITION BY l.article_id, l.space_id ORDER BY l.id DESC)
          OR EXISTS (SELECT 1 FROM embedding_tasks o
                     WHERE o.article_id = l.article_id AND o.space_id = l.space_id AND o.status = 'pending')
            THEN '{WAITS_ALREADY}'
        ELSE '' END AS answer
    FROM locked l JOIN embedding_spaces s ON s.id = l.space_id LEFT JOIN free a ON a.id = l.article_id
)
"""  # noqa: S608
REQUEUE = f"""
, changed AS (
    UPDATE embedding_tasks t SET
        status = 'pending', attempts = 0,
        scheduled_at = statement_timestamp(), processed_at = NULL, completed_at = NULL,
        source_version = j.version_number, content_hash = j.content_hash,
        outcome = '', error_class = '', error_message = '', {UNHELD}
    FROM judged j WHERE t.id = j.id AND j.answer = ''
    RETURNING t.*
), {
    logged(
        from_to(
            "status attempts scheduled_at processed_at completed_at source_version content_hash"
            " outcome error_class error_message"
        )
    )
}
SELECT id, answer FROM judged
"""  # noqa: S608
_CANCEL_COLUMNS = "status attempts completed_at error_message"
CANCEL = f"""
WITH {LOCKED}, changed AS (
    UPDATE embedding_tasks t SET {_CANCELLED} FROM locked l WHERE t.id = l.id RETURNING t.*
), {logged(from_to(_CANCEL_COLUMNS))}
SELECT id, '' FROM locked
"""  # noqa: S608
PRIORITIZE = f"""
WITH {LOCKED}, changed AS (
    UPDATE embedding_tasks t SET priority = %(priority)s FROM locked l
    WHERE t.id = l.id AND l.priority <> %(priority)s RETURNING t.*
), {logged(from_to("priority"))}
SELECT id, CASE WHEN priority = %(priority)s THEN 'it had that priority' ELSE '' END FROM locked
"""  # noqa: S608
# What has not ended is cancelled, so that the sweep does not begin it again; what has ended goes, but for the row that
# keeps the sweep from an article's present text (maintenance/reaper.py), unless the operator has named such rows.
MAY_CLEAR = f"""
WITH {LOCKED}, judged AS MATERIALIZED (
    SELECT l.id, CASE WHEN NOT %(is_named)s AND l.status IN ('failed', 'cancelled') AND EXISTS (
        SELECT 1 FROM articles a
        WHERE a.id = l.article_id AND a.content_hash = l.content_hash
          AND NOT EXISTS (SELECT 1 FROM embedding_tasks o
                          WHERE o.article_id = l.article_id AND o.space_id = l.space_id AND o.id > l.id
                            AND o.content_hash = l.content_hash AND o.status <> 'completed')
          AND NOT EXISTS (SELECT 1 FROM article_embeddings e
                          WHERE e.article_id = a.id AND e.space_id = l.space_id AND e.chunk_index = 0
                            AND e.source_hash = a.content_hash)
    ) THEN '{ENDED_ON_PURPOSE}' ELSE '' END AS answer
    FROM locked l
)
"""  # noqa: S608
CLEAR = f"""
, changed AS (
    UPDATE embedding_tasks t SET {_CANCELLED} FROM locked l
    WHERE t.id = l.id AND l.status IN ('pending', 'processing') RETURNING t.*
), removed AS (
    DELETE FROM embedding_tasks t USING locked l JOIN judged j USING (id)
    WHERE t.id = l.id AND l.status NOT IN ('pending', 'processing') AND j.answer = '' RETURNING t.id
), {
    logged(
        from_to(_CANCEL_COLUMNS),
        f"SELECT id, {_WHOLE_ROW}, NULL::jsonb FROM removed JOIN locked l USING (id)",
    )
}
{ANSWERS}
"""  # noqa: S608
# As the sweep does it (maintenance/reaper.py): one of an article's tasks waits, and one whose attempts are spent is
# parked. A worker that loses a task before its lease has ended is not charged for the attempt.
RELEASE = f"""
WITH {LOCKED}, judged AS MATERIALIZED (
    SELECT l.id, l.lease_expires_at < statement_timestamp() AS has_expired, l.is_charged,
        l.is_charged AND l.attempts >= l.max_attempts AS is_spent,
        EXISTS (SELECT 1 FROM embedding_tasks o
                WHERE o.article_id = l.article_id AND o.space_id = l.space_id AND o.status = 'pending')
        OR 1 < row_number() OVER (
            PARTITION BY l.article_id, l.space_id
            ORDER BY l.is_charged AND l.attempts >= l.max_attempts, l.processed_at DESC, l.id DESC
        ) AS is_superseded
    FROM (SELECT *, lease_expires_at < statement_timestamp() AND {worker_loss.is_charged("locked")} AS is_charged
          FROM locked) l
    WHERE NOT %(stuck)s OR l.lease_expires_at < statement_timestamp()
), changed AS (
    UPDATE embedding_tasks t SET
        {worker_loss.BACK_TO_THE_QUEUE},
        attempts = CASE WHEN is_charged THEN t.attempts ELSE GREATEST(t.attempts - 1, 0) END,
        losses = CASE WHEN has_expired THEN {worker_loss.NEXT} ELSE t.losses END, scheduled_at = statement_timestamp(),
        error_class = CASE WHEN has_expired THEN 'worker_lost' ELSE t.error_class END,
        error_message = CASE WHEN has_expired THEN %(why)s ELSE t.error_message END, {UNHELD}
    FROM judged j WHERE t.id = j.id RETURNING t.*
), {logged(from_to("status attempts scheduled_at completed_at outcome error_class error_message"))}
SELECT id, '' FROM judged
"""  # noqa: S608
