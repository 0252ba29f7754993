"""Notices that the database took no writes for a while: a lease that ended meanwhile says nothing of its worker."""

from typing import Any

from django.conf import settings
from django.db import connection

# A living worker renews every third of a lease, so it takes half of one without any write to end it; and a sweep that
# was not made three times in a row is none that merely came late.
_MISSED_SWEEPS = 3
# For so long after an outage, at most, living workers renew and give back before the sweep does.
_LONGEST_GRACE = 15.0
_NOTE = """
UPDATE queue_state SET leases_returned_at = statement_timestamp(), grace_until = CASE
    WHEN leases_returned_at < statement_timestamp() - %(outage)s * interval '1 second'
    THEN statement_timestamp() + %(grace)s * interval '1 second' ELSE grace_until END
WHERE id = 1
RETURNING grace_until BETWEEN statement_timestamp() AND statement_timestamp() + %(grace)s * interval '1 second'
"""


def is_just_over() -> bool:
    """Whether writes were not taken until a moment ago. Call it in the transaction that returns expired leases: where
    that is refused, this is not noted either."""
    lease = settings.EMBEDDING_WORKER_TIMEOUT / 1000
    outage = max(lease / 2, _MISSED_SWEEPS * settings.EMBEDDING_WORKER_INTERVAL / 1000)
    arguments: dict[str, Any] = {"outage": outage, "grace": min(lease / 2, _LONGEST_GRACE)}
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, arguments)
        row = cursor.fetchone()
    return bool(row and row[0])
