"""Takes due tasks for a worker, in one statement that also reads their text."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from embeddings.indexing.render import Source
from embeddings.models import Space
from queueops.base import failpoints
from queueops.base.database_retry import AWAY, with_database_retry
from queueops.engine import ageing, claim_statements

# How many tasks that were lost with a worker or the provider are tried together.
LOST_TOGETHER = 16


class Claimed(NamedTuple):
    """One task in a worker's hands, with the article's text as it was at the claim."""

    task_id: int
    attempts: int
    max_attempts: int
    source: Source
    is_reembedding: bool = False  # also embed chunks that have vectors: see reindexing.py
    was_lost: bool = False  # with the worker that had it last, or with the provider
    was_lost_whole: bool = False  # with the provider, at its last attempt and alone

    @property
    def is_to_be_cut(self) -> bool:
        """Whether this attempt, its last, sends the text in small chunks."""
        return self.was_lost_whole and self.was_lost and self.attempts >= self.max_attempts


@dataclass(frozen=True)
class Claim:
    """What one statement took. Every later write carries `token`."""

    space: Space
    token: uuid.UUID
    tasks: list[Claimed]
    is_full: bool = False


@dataclass(frozen=True)
class Room:
    """In bytes of text: the `longest` article that is taken, and the `most` of all together, where one is always taken;
    None for any."""

    longest: int | None = None
    most: int | None = None


def claim_due(
    space: Space,
    size: int,
    worker_id: int,
    worker_name: str,
    *,
    with_low: bool = True,
    lost_together: int = LOST_TOGETHER,
    with_trial: bool = False,
    room: Room = Room(),
) -> Claim:
    """Up to `size` due tasks of a space, best rank first, with a share for those that have waited longest; none of the
    lowest rank unless `with_low`, and at most `lost_together` that were lost with a worker or the provider. Tasks on
    trial are taken only `with_trial`, by a process that has tried many of them.

    Takes nothing while the queue is paused or this worker's row says it shall not run. The attempt is counted here,
    so that a task which kills its worker still reaches its limit.
    """
    aged = ageing.slots_for_aged(size, random.random()) if with_low else 0
    found = _take(
        claim_statements.CLAIM_DUE,
        space,
        worker_name,
        {
            "size": size,
            "lost_together": lost_together,
            "with_low": with_low,
            "with_trial": with_trial,
            "aged_slots": aged,
            "aged_after": ageing.AGED_AFTER,
            "worker": worker_id,
            "longest": room.longest,
            "most_bytes": room.most,
        },
    )
    # a task that is both aged and first of its rank fills two slots; what was lost, or is long, leaves places empty
    is_cut = any(task.was_lost for task in found.tasks) or (room.most and bool(found.tasks))
    is_full = len(found.tasks) >= size - aged or bool(is_cut)
    return replace(found, is_full=is_full)


def is_trial_due(space: Space) -> bool:
    """Whether a task waits that must be claimed with `claim_on_trial`."""
    with connection.cursor() as cursor:
        cursor.execute(claim_statements.IS_TRIAL_DUE, [space.pk])
        return bool(cursor.fetchone()[0])


def claim_on_trial(
    space: Space, size: int, worker_id: int, worker_name: str, *, with_low: bool = True
) -> Claim:
    """Up to `size` of the tasks that were lost with several workers; none while another process has such."""
    return _take(
        claim_statements.CLAIM_ON_TRIAL,
        space,
        worker_name,
        {"size": size, "worker": worker_id, "with_low": with_low},
    )


def mark_alone(claim: Claim) -> bool:
    """Writes down that the claim's one task is all that its worker holds; False where it is not.

    Who calls this sees to it that the process claims nothing else until the task is settled.
    """
    with connection.cursor() as cursor:
        cursor.execute(claim_statements.MARK_ALONE, [claim.token])
        return bool(cursor.rowcount)


def claim_of_articles(space: Space, article_ids: Sequence[int], claimed_by: str) -> Claim:
    """The pending tasks of these articles, due or not, for a process that embeds them itself."""
    return _take(claim_statements.CLAIM_OF_ARTICLES, space, claimed_by, {"articles": list(article_ids)})


def _take(sql: str, space: Space, claimed_by: str, arguments: dict[str, Any]) -> Claim:
    token = uuid.uuid4()
    lease = timedelta(milliseconds=settings.EMBEDDING_WORKER_TIMEOUT)
    arguments |= {"space": space.pk, "token": token, "claimed_by": claimed_by, "lease": lease}
    try:
        rows = _rows(sql, arguments)
    except AWAY:  # it may be that only the answer was lost
        rows = with_database_retry(
            lambda: _rows(claim_statements.TAKEN, arguments) or _rows(sql, arguments), "nothing claimed yet"
        )
    if rows:
        failpoints.reach("claimed")
    return Claim(space, token, [_claimed(row) for row in rows])


def _claimed(row: tuple[Any, ...]) -> Claimed:
    task_id, attempts, max_attempts, is_reembedding, was_lost_whole, was_lost, *source = row
    return Claimed(task_id, attempts, max_attempts, Source(*source), is_reembedding, was_lost, was_lost_whole)


def _rows(sql: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        return list(cursor.fetchall())
