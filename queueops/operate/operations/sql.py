"""SQL that the statements of bulk operations share."""

from queueops.models import Category

WAITS_ALREADY = "the article already has a task that waits"
RETIRED = "the space is retired"

# Timestamps as JSON must read the same in every session; who freezes with rows in hand loses them; and what cannot be
# had at once, like a place in the index of pending tasks that a save has taken but not committed, is tried again later
# instead of being waited for, so that no two ever wait for each other.
GUARD = """
SELECT set_config('TimeZone', 'UTC', true), set_config('lock_timeout', '100ms', true),
       set_config('idle_in_transaction_session_timeout', '30s', true)
"""
# An operation writes its audit rows itself; for changes of ended tasks by others, a trigger does (migrations/0011).
LOGGED_BY_US = "SELECT set_config('vectorpress.is_told', 'yes', true)"
LOGGED_BY_TRIGGER = "SELECT set_config('vectorpress.is_told', '', true)"
LOCKED = """
locked AS MATERIALIZED (
    SELECT t.* FROM embedding_tasks t
    WHERE t.id = ANY(%(ids)s::bigint[]) AND t.status = ANY(%(statuses)s)
    ORDER BY t.id FOR UPDATE SKIP LOCKED
)"""
UNHELD = "claim_token = NULL, lease_expires_at = NULL, claimed_by = ''"


def columns(row: str, names: str) -> str:
    """A JSON object of these columns of a row; names are parted by spaces."""
    return "jsonb_build_object(" + ", ".join(f"'{name}', {row}.{name}" for name in names.split()) + ")"


def logged(*sources: str) -> str:
    """The audit rows; each source selects id, before and after."""
    return f"""
logged AS (
    INSERT INTO embedding_audit_logs (category, event, actor, message, metadata, task_id, operation_id)
    SELECT '{Category.OPERATOR}', %(event)s, %(actor)s, %(message)s,
           jsonb_build_object('reason', %(reason)s::text, 'before', before, 'after', after), id, %(operation)s
    FROM ({" UNION ALL ".join(sources)}) AS those (id, before, after)
)"""  # noqa: S608  the only text put in is our own


def from_to(names: str, changed: str = "changed") -> str:
    """A source of audit rows: these columns of the rows that were changed."""
    before, after = columns("l", names), columns("c", names)
    return f"SELECT c.id, {before}, {after} FROM {changed} c JOIN locked l USING (id)"  # noqa: S608
