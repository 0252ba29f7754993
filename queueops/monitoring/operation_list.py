"""Every operation, newest first: those on many tasks, and single ones such as a stop, which only the audit log has."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from lib.rows_by_column import named_rows
from queueops.models import AuditLog, Operation, Verb
from queueops.models.operation import OperationStatus

# The verbs of operations that are not on many tasks, by the names of their commands.
SINGLE_VERBS = (
    "adopt", "breaker", "cleanup", "compatibility", "emergency-stop", "import", "maintenance", "mode", "operations",
    "pause", "reindex", "remove_queue", "restore", "resume", "review_flag", "spaces", "start", "stop",
)  # fmt: skip
VERBS = tuple(sorted((*Verb.values, *SINGLE_VERBS)))


@dataclass(frozen=True)
class OperationFilter:
    """Operations that match every given field."""

    verb: str = ""
    actor: str = ""
    newer_than: timedelta | None = None
    id: UUID | None = None


# The first audit row of an operation names its verb: an emergency stop that also released tasks has that verb.
_SQL = """
WITH place AS (
    SELECT coalesce((SELECT started_at FROM embedding_operations WHERE id = %(after)s),
                    (SELECT min(timestamp) FROM embedding_audit_logs
                     WHERE operation_id = %(after)s AND task_id IS NULL)) AS at
), many AS (
    SELECT o.id, o.started_at AS at, coalesce(first.verb, o.verb) AS verb, o.actor, NULL::bigint AS entry
    FROM embedding_operations o LEFT JOIN LATERAL (
        SELECT metadata->'scope'->>'verb' AS verb FROM embedding_audit_logs
        WHERE operation_id = o.id AND task_id IS NULL ORDER BY id LIMIT 1) first ON true
), single AS (
    SELECT a.operation_id, a.timestamp, coalesce(a.metadata->'scope'->>'verb', a.message), a.actor, a.id
    FROM embedding_audit_logs a
    WHERE a.operation_id IS NOT NULL AND a.task_id IS NULL
      AND NOT EXISTS (SELECT FROM embedding_operations o WHERE o.id = a.operation_id)
      AND NOT EXISTS (SELECT FROM embedding_audit_logs e
                      WHERE e.operation_id = a.operation_id AND e.task_id IS NULL AND e.id < a.id)
)
SELECT l.* FROM (
    (SELECT * FROM many m WHERE {fits} ORDER BY m.at DESC, m.id DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT * FROM single m (id, at, verb, actor, entry) WHERE {fits} ORDER BY m.at DESC, m.id DESC LIMIT %(limit)s)
) l ORDER BY l.at DESC, l.id DESC LIMIT %(limit)s
"""
_FITS = """(%(id)s::uuid IS NULL OR m.id = %(id)s) AND (%(verb)s = '' OR m.verb = %(verb)s)
           AND (%(actor)s = '' OR m.actor = %(actor)s)
           AND (%(newer_than)s::interval IS NULL OR m.at >= statement_timestamp() - %(newer_than)s::interval)
           AND (%(after)s::uuid IS NULL OR (m.at, m.id) < (SELECT place.at, %(after)s::uuid FROM place))"""
_STATEMENT = _SQL.format(fits=_FITS)


def page(
    which: OperationFilter, *, after: UUID | None = None, limit: int
) -> tuple[list[dict[str, Any]], UUID | None]:
    """Operations as CLI and REST report them, and the id to continue after, None on the last page; none after an
    unknown one."""
    given = {**vars(which), "after": after, "limit": limit + 1}
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, given)
        found = named_rows(cursor)
    shown = found[:limit]
    many = Operation.objects.in_bulk([row["id"] for row in shown if row["entry"] is None])
    single = AuditLog.objects.in_bulk([row["entry"] for row in shown if row["entry"] is not None])
    reported = [
        many[row["id"]].as_dict() | {"verb": row["verb"]}
        if row["entry"] is None
        else _single(single[row["entry"]], row["verb"])
        for row in shown
        if row["id"] in many or row["entry"] in single  # not removed meanwhile
    ]
    return reported, shown[-1]["id"] if len(found) > limit else None


def _single(entry: AuditLog, verb: str) -> dict[str, Any]:
    """With the fields of Operation.as_dict."""
    details = entry.metadata if isinstance(entry.metadata, dict) else {}
    return {
        "id": entry.operation_id,
        "verb": verb,
        "actor": entry.actor,
        "reason": str(details.get("reason", "")),
        "scope": dict(details.get("scope") or {}),
        "priority": "",
        "total": 0,
        "changed": 0,
        "skipped": 0,
        "skips": {},
        "started_at": entry.timestamp,
        "updated_at": entry.timestamp,
        "finished_at": entry.timestamp,
        "state": str(OperationStatus.DONE),
        "undoes": None,
    }
