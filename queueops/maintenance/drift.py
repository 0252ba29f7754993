"""Finds articles whose vectors are behind and without a task: text changed by plain SQL, or a task that was lost.

Each look checks the newest articles and the next ones in the order of their ids, so that it costs the same however many
articles there are.
"""

from typing import Any, NamedTuple

from django.db import connection, transaction

from embeddings.models import Space
from queueops.engine import modes
from queueops.engine.enqueue import Reason, enqueue
from queueops.models import Mode, Operation, QueueState

NEWEST = 1_000
NEXT = 5_000
# As many are enqueued at once; if there are more, the next look starts at the same place.
_BATCH = 1_000

# An article that is behind is enqueued unless it has a live task, or one for exactly this text was parked or cancelled:
# the sweep does not restart what an operator or the provider has ended. Nor an article that a staged backfill left for
# later and that nothing has touched yet. A space that is being built is filled by an operator; the sweep repairs there
# only what has been embedded before. The article's times do not count, since any writer may set them; it need not be
# old either: a save commits with its task, so one statement sees both or neither.
# The vectors and tasks are limited to the part too, so that they can be read in its order instead of one by one.
_DRIFTED = """
SELECT a.id FROM articles a
WHERE a.id > %(after)s AND a.id <= %(upto)s
  AND NOT EXISTS (SELECT 1 FROM article_embeddings e WHERE e.article_id = a.id AND e.space_id = %(space)s
                  AND e.article_id > %(after)s AND e.article_id <= %(upto)s
                  AND e.chunk_index = 0 AND e.source_hash = a.content_hash)
  AND NOT EXISTS (SELECT 1 FROM embedding_tasks t WHERE t.article_id = a.id AND t.space_id = %(space)s
                  AND t.article_id > %(after)s AND t.article_id <= %(upto)s
                  AND (t.status IN ('pending', 'processing')
                       OR (t.status IN ('failed', 'cancelled') AND t.content_hash = a.content_hash)))
  AND (NOT %(is_staged)s OR a.id > %(newest)s::bigint OR a.created_at > %(began)s::timestamptz
       OR EXISTS (SELECT FROM article_embeddings e WHERE e.article_id = a.id)
       OR EXISTS (SELECT FROM embedding_tasks t WHERE t.article_id = a.id))
  AND (NOT %(is_built)s OR EXISTS (SELECT FROM article_embeddings e
                                   WHERE e.article_id = a.id AND e.space_id = %(space)s))
ORDER BY a.id LIMIT %(limit)s
"""
# Each walks the primary key.
_BOUNDS = """
SELECT coalesce((SELECT id FROM articles WHERE id > %(after)s ORDER BY id OFFSET %(next)s - 1 LIMIT 1),
                (SELECT max(id) FROM articles), 0),
       coalesce((SELECT id FROM articles ORDER BY id DESC OFFSET %(newest)s LIMIT 1), 0),
       coalesce((SELECT max(id) FROM articles), 0)
"""


class _Part(NamedTuple):
    """Articles by id: those `after` one, `upto` another."""

    after: int
    upto: int


def is_looked_for() -> bool:
    """Not while embedding is disabled."""
    return modes.current() is not Mode.DISABLED


def enqueue_drift() -> int:
    """Enqueues articles of the next part whose text changed without a signal (plain SQL, fixtures); how many."""
    before = QueueState.objects.values_list("drift_after", flat=True).first() or 0
    count, after = _enqueue_next(before)
    if (after or 0) != before:
        QueueState.objects.update(drift_after=after or 0)
    return count


def enqueue_all_drift() -> int:
    """As enqueue_drift, of all articles, however long it takes."""
    total = 0
    after: int | None = 0
    while after is not None:
        count, after = _enqueue_next(after)
        total += count
    return total


def _enqueue_next(after: int) -> tuple[int, int | None]:
    """(tasks created, where the next part starts: here again if there may be more; None after the last one)."""
    part, newest = _parts(after)
    count = _enqueue_part(part)
    if count < _BATCH and not (part.after <= newest.after and newest.upto <= part.upto):
        count += _enqueue_part(newest)
    if count >= _BATCH:
        return count, after
    return count, part.upto if part.upto < newest.upto else None


def _parts(after: int) -> tuple[_Part, _Part]:
    """The next articles and the newest ones."""
    with connection.cursor() as cursor:
        cursor.execute(_BOUNDS, {"after": after, "next": NEXT, "newest": NEWEST})
        upto, newest_after, last = cursor.fetchone()
    return _Part(after, upto), _Part(newest_after, last)


def _enqueue_part(part: _Part) -> int:
    """Tasks created in all spaces."""
    left = left_by(Operation.objects.newest_stage())
    return sum(_enqueue_of(space, part, left) for space in Space.objects.receiving())


@transaction.atomic
def _enqueue_of(space: Space, part: _Part, left: dict[str, Any]) -> int:
    of_space = {"space": space.pk, "is_built": space.is_built, "limit": _BATCH}
    with connection.cursor() as cursor:
        cursor.execute(_DRIFTED, of_space | part._asdict() | left)
        ids = [article_id for (article_id,) in cursor.fetchall()]
    return enqueue(ids, Reason.DRIFT) if ids else 0


def left_by(stage: Operation | None) -> dict[str, Any]:
    """The arguments of _DRIFTED that exclude the articles a backfill left for later; operations of older versions have
    only the time."""
    if stage is None:
        return {"is_staged": False, "newest": None, "began": None}
    began = stage.started_at if stage.newest_article is None else None
    return {"is_staged": True, "newest": stage.newest_article, "began": began}
