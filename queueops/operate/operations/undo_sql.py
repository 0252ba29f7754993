"""Undoes an operation task by task, where the task is still as the operation left it.

Each audit row of a task says what the columns that were changed held before and after; `after` is null for a row that
was removed, `before` for one that was put back after it had been removed. So an undo writes rows of the same kind, and
can itself be undone.
"""

from queueops.models import Category, Task
from queueops.models.operation import BUSY
from queueops.operate.operations.sql import LOCKED, RETIRED, WAITS_ALREADY

CHANGED_SINCE = "it has changed since"
TASK_GONE = "the task is gone"
ARTICLE_GONE = "its article is gone"
SPACE_GONE = "its space is gone"
BACK_AGAIN = "it is there again"

_COLUMNS = [str(field.column) for field in Task._meta.concrete_fields if not field.generated]
_NAMED = ", ".join(_COLUMNS)
# what an older version has written down does not say when it was scheduled
_WITH_DEFAULT = {"schedule_set_at": "coalesce(r.schedule_set_at, statement_timestamp())"}
_OF_RECORD = ", ".join(_WITH_DEFAULT.get(column, f"r.{column}") for column in _COLUMNS)
# columns that a row may lack which was written down before they were there
_ADDED_LATER = '{"losses": 0, "is_alone": false}'
# what any act changes
_CHANGEABLE = ", ".join(
    f"{column} = r.{column}"
    for column in (
        "status", "priority", "attempts", "scheduled_at", "processed_at", "completed_at", "source_version",
        "content_hash", "outcome", "error_class", "error_message",
    )
)  # fmt: skip

# A task that was in progress becomes pending; the interrupted attempt is not charged. What comes back to
# wait must find its place free, and its article unlocked: see statements.py.
MAY_UNDO = f"""
WITH {LOCKED}, changes AS MATERIALIZED (
    SELECT task_id AS id, nullif(metadata->'before', 'null') AS before, nullif(metadata->'after', 'null') AS after
    FROM embedding_audit_logs WHERE operation_id = %(undone)s AND task_id = ANY(%(ids)s::bigint[])
), wanted AS MATERIALIZED (
    SELECT s.id, s.before, s.after, l.id IS NOT NULL AS is_ours, to_jsonb(l) AS present, l.status,
        EXISTS (SELECT 1 FROM embedding_tasks t WHERE t.id = s.id) AS is_there,
        coalesce(l.article_id, (s.before->>'article_id')::bigint) AS article_id,
        coalesce(l.space_id, (s.before->>'space_id')::bigint) AS space_id,
        CASE WHEN s.before->>'status' = 'processing' THEN s.before || jsonb_build_object(
            'status', 'pending', 'attempts', greatest((s.before->>'attempts')::int - 1, 0)
        ) ELSE s.before END AS goal
    FROM changes s LEFT JOIN locked l USING (id)
), free AS MATERIALIZED (
    SELECT a.id FROM articles a
    WHERE a.id IN (SELECT article_id FROM wanted WHERE after IS NULL OR goal->>'status' = 'pending')
    ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
), judged AS MATERIALIZED (
    SELECT w.*, CASE
        WHEN is_there AND NOT is_ours THEN '{BUSY}'
        WHEN after IS NULL AND is_there THEN '{BACK_AGAIN}'
        WHEN after IS NULL AND NOT EXISTS (SELECT 1 FROM articles a WHERE a.id = w.article_id) THEN '{ARTICLE_GONE}'
        WHEN after IS NULL AND s.id IS NULL THEN '{SPACE_GONE}'
        WHEN after IS NOT NULL AND NOT is_there THEN '{TASK_GONE}'
        WHEN after IS NOT NULL AND NOT present @> after THEN '{CHANGED_SINCE}'
        WHEN before IS NOT NULL AND NOT before ? 'status' AND w.status NOT IN ('pending', 'processing')
            THEN '{CHANGED_SINCE}'
        WHEN (after IS NULL OR goal->>'status' = 'pending') AND f.id IS NULL THEN '{BUSY}'
        WHEN goal->>'status' = 'pending' AND s.state = 'retired' THEN '{RETIRED}'
        WHEN goal->>'status' = 'pending' AND w.status <> 'pending' AND (
            EXISTS (SELECT 1 FROM embedding_tasks o
                    WHERE o.article_id = w.article_id AND o.space_id = w.space_id AND o.status = 'pending')
            OR 1 < row_number() OVER (
                PARTITION BY w.article_id, w.space_id, goal->>'status' = 'pending' AND present @> after
                ORDER BY before->>'status' = 'pending' DESC, w.id DESC)
        ) THEN '{WAITS_ALREADY}'
        ELSE '' END AS answer
    FROM wanted w LEFT JOIN embedding_spaces s ON s.id = w.space_id LEFT JOIN free f ON f.id = w.article_id
)
"""  # noqa: S608  the only text put in is our own
UNDO = f"""
, changed AS (
    UPDATE embedding_tasks t SET {_CHANGEABLE}
    FROM judged j CROSS JOIN LATERAL jsonb_populate_record(NULL::embedding_tasks, present || goal) r
    WHERE t.id = j.id AND answer = '' AND after IS NOT NULL AND before IS NOT NULL
), added AS (
    INSERT INTO embedding_tasks ({_NAMED})
    SELECT {_OF_RECORD} FROM judged CROSS JOIN LATERAL
        jsonb_populate_record(NULL::embedding_tasks, '{_ADDED_LATER}' || goal) r
    WHERE answer = '' AND after IS NULL
), removed AS (
    DELETE FROM embedding_tasks t USING judged j
    WHERE t.id = j.id AND answer = '' AND before IS NULL
), logged AS (
    INSERT INTO embedding_audit_logs (category, event, actor, message, metadata, task_id, operation_id)
    SELECT '{Category.OPERATOR}', %(event)s, %(actor)s, %(message)s,
           jsonb_build_object('reason', %(reason)s::text, 'before', after, 'after', goal), id, %(operation)s
    FROM judged WHERE answer = ''
)
SELECT id, answer FROM judged
"""  # noqa: S608  the only text put in is our own
