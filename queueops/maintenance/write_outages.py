"""Detects that the database accepted no writes for a while: leases that ended meanwhile do not mean lost workers."""

from typing import Any

from django.conf import settings
from django.db import connection

# A living worker renews every third of a lease, so half a lease without writes may end it; and three missed sweeps in
# a row are not just a late one.
_MISSED_SWEEPS = 3
# After an outage, living workers get at most this long to renew and requeue before the sweep returns leases.
_LONGEST_GRACE = 15.0
_NOTE = """
UPDATE queue_state SET leases_returned_at = statement_timestamp(), grace_until = CASE
    WHEN leases_returned_at < statement_timestamp() - %(outage)s * interval '1 second'
    THEN statement_timestamp() + %(grace)s * interval '1 second' ELSE grace_until END
WHERE id = 1
RETURNING grace_until BETWEEN statement_timestamp() AND statement_timestamp() + %(grace)s * interval '1 second'
"""


def is_just_over() -> bool:
    """Whether an outage of writes has just ended. Call it in the transaction that returns expired leases: if that is
    refused, this is not recorded either."""
    lease = settings.EMBEDDING_WORKER_TIMEOUT / 1000
    outage = max(lease / 2, _MISSED_SWEEPS * settings.EMBEDDING_WORKER_INTERVAL / 1000)
    arguments: dict[str, Any] = {"outage": outage, "grace": min(lease / 2, _LONGEST_GRACE)}
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, arguments)
        row = cursor.fetchone()
    return bool(row and row[0])
