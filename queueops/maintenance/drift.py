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

# An article that is behind is enqueued unless it has a live task, or one for exactly this text was parked or cancelled:
# the sweep does not restart what an operator or the provider has ended. Nor an article that a staged backfill left for
# later and that nothing has touched yet. A space that is being built is filled by an operator; the sweep repairs there
# only what has been embedded before. The article's times do not count, since any writer may set them; it need not be
# old either: a save commits with its task, so one statement sees both or neither.
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
  AND (NOT %(is_built)s OR EXISTS (SELECT FROM article_embeddings e
                                   WHERE e.article_id = a.id AND e.space_id = %(space)s))
ORDER BY a.id LIMIT %(limit)s
"""


def is_time(is_due: bool) -> bool:
    """Looking for drift reads every article, so while there is other work it is done once per minute."""
    global _sought_at
    if modes.current() is Mode.DISABLED:
        return False
    if is_due and time.monotonic() - _sought_at < _SECONDS_BETWEEN:
        return False
    _sought_at = time.monotonic()
    return True


def enqueue_drift() -> int:
    """Enqueues articles whose text changed without a signal (plain SQL, fixtures); returns how many."""
    left = left_by(Operation.objects.newest_stage())
    count = 0
    for space in Space.objects.receiving():
        with transaction.atomic(), connection.cursor() as cursor:
            of_space = {"space": space.pk, "is_built": space.is_built, "limit": _BATCH}
            cursor.execute(_DRIFTED, of_space | left)
            ids = [article_id for (article_id,) in cursor.fetchall()]
            count += enqueue(ids, Reason.DRIFT) if ids else 0
    return count


def left_by(stage: Operation | None) -> dict[str, Any]:
    """The arguments of _DRIFTED that exclude the articles a backfill left for later; operations of older versions have
    only the time."""
    if stage is None:
        return {"is_staged": False, "newest": None, "began": None}
    began = stage.started_at if stage.newest_article is None else None
    return {"is_staged": True, "newest": stage.newest_article, "began": began}
