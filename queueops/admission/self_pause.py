"""Pauses the queue when a provider refuses the key, quota or payment: only an operator can fix that."""

from django.db import connection, transaction

from embeddings.providers.errors import ProviderError
from lib.manage_command import manage
from queueops.models import AuditLog, Category, Level
from queueops.models.audit import MAX_REASON

ITSELF = "vectorpress"  # recorded as the actor of changes that no person made

# An operator's pause keeps its reason, and a change of the state since the batch began takes precedence. A change in
# the future was written by another clock and counts as old.
_PAUSE_ITSELF = """
UPDATE queue_state SET is_paused = true, reason = %(reason)s, changed_by = %(who)s, changed_at = clock_timestamp()
WHERE NOT is_paused
  AND (changed_at <= clock_timestamp() - %(elapsed)s * interval '1 second' OR changed_at > clock_timestamp())
"""


def pause_itself(provider: str, error: ProviderError, elapsed: float) -> bool:
    """Pauses the queue because a provider refuses our key, quota or payment; returns whether this call paused it.

    `elapsed` is how long ago the refused batch began, in seconds.
    """
    reason = (
        f"the provider {provider} refuses requests ({error}). Fix that, then resume: {manage('queue_admin resume')}"
    )[:MAX_REASON]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_PAUSE_ITSELF, {"reason": reason, "who": ITSELF, "elapsed": elapsed})
        if not cursor.rowcount:
            return False
        AuditLog.objects.create(
            category=Category.ENGINE,
            level=Level.ERROR,
            actor=ITSELF,
            message=f"queue paused: {reason}",
            metadata={"provider": provider, "reason": reason},
        )
    return True
