"""Finds articles whose vectors are behind and without a task: text changed by plain SQL, or a task that was lost."""

import time
from typing import Any

from django.db import connection, transaction

from embeddings.models import Space
from queueops.engine import modes
from queueops.engine.enqueue import Reason, enqueue
from queueops.models import Mode, Operation

_BATCH = 1_000
_SECONDS_BETWEEN = 60.0
_sought_at = float("-inf")

# An article that is behind is enqueued unless a task already works for it, or one was parked or cancelled over just
# this text: what an operator or the provider has ended is not begun again behind their back. Nor is what a migration in
# stages has left for later, which nothing has touched yet. No time of the article counts, since whoever writes it may
# set that; nor need it be old: a save commits with its task, so that one statement sees both or neither.
_DRIFTED = """
SELECT a.id FROM articles a
WHERE NOT EXISTS (SELECT 1 FROM article_embeddings e WHERE e.article_id = a.id AND e.space_id = %(space)s
                  AND e.chunk_index = 0 AND e.source_hash = a.content_hash)
  AND NOT EXISTS (SELECT 1 FROM embedding_tasks t WHERE t.article_id = a.id AND t.space_id = %(space)s
                  AND (t.status IN ('pending', 'processing')
                       OR (t.status IN ('failed', 'cancelled') AND t.content_hash = a.content_hash)))
  AND (NOT %(is_staged)s OR a.id > %(newest)s::bigint OR a.created_at > %(began)s::timestamptz
       OR EXISTS (SELECT FROM article_embeddings e WHERE e.article_id = a.id)
       OR EXISTS (SELECT FROM embedding_tasks t WHERE t.article_id = a.id))
ORDER BY a.id LIMIT %(limit)s
"""


def is_time(is_due: bool) -> bool:
    """Looking for drift reads every article, so while there is other work it is done once a minute."""
    global _sought_at
    if modes.current() is Mode.DISABLED:
        return False
    if is_due and time.monotonic() - _sought_at < _SECONDS_BETWEEN:
        return False
    _sought_at = time.monotonic()
    return True


def enqueue_drift() -> int:
    """Enqueues articles whose text changed without anybody saying so (plain SQL, fixtures); answers how many."""
    left = left_by(Operation.objects.newest_stage())
    count = 0
    for space in Space.objects.receiving():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_DRIFTED, {"space": space.pk, "limit": _BATCH} | left)
            ids = [article_id for (article_id,) in cursor.fetchall()]
            count += enqueue(ids, Reason.DRIFT) if ids else 0
    return count


def left_by(stage: Operation | None) -> dict[str, Any]:
    """What tells _DRIFTED the articles that a migration has left for later; an older version noted the moment alone."""
    if stage is None:
        return {"is_staged": False, "newest": None, "began": None}
    began = stage.started_at if stage.newest_article is None else None
    return {"is_staged": True, "newest": stage.newest_article, "began": began}
