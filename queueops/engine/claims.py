"""Takes due tasks for a worker, in one statement that also reads their text."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from embeddings.indexing.embed import Source
from embeddings.models import Space
from queueops.base import failpoints
from queueops.base.database_retry import AWAY, with_database_retry
from queueops.engine import ageing
from queueops.engine.worker_loss import IS_ON_TRIAL, WAS_LOST


@dataclass(frozen=True, slots=True)
class Claimed:
    """One task in a worker's hands, with the article's text as it was at the claim."""

    task_id: int
    attempts: int
    max_attempts: int
    source: Source
    is_anew: bool = False  # embed it even where its text has vectors: see reindexing.py
    was_lost: bool = False  # with the worker that had it last, or with the provider


@dataclass(frozen=True)
class Claim:
    """What one statement took. Every later write carries `token`."""

    space: Space
    token: uuid.UUID
    tasks: list[Claimed]
    is_full: bool = False


# Ranks are taken one after another, each by a bounded walk of its own stretch of the index: a rank whose tasks all
# wait for a later retry costs nothing. The brakes are part of the statement, so that plain SQL stops a worker even
# when nothing else reaches it.
_BRAKES = """
brakes AS MATERIALIZED (
    SELECT NOT EXISTS (SELECT 1 FROM queue_state WHERE is_paused)
       AND EXISTS (SELECT 1 FROM embedding_worker_status WHERE id = %(worker)s AND is_running) AS are_off
)"""
# One text may have taken its worker with it, or the provider, and all that these held were lost with it. So what was
# lost is tried in small company. What was lost with its worker again is passed over here: it is claimed with nothing
# beside it (claim_on_trial). What was lost with its provider is alone at its last attempt, one such task for all
# workers, since spaces share a provider.
COMPANY = 16
_PERIL = f"""CASE WHEN NOT {WAS_LOST} THEN 0
                     WHEN error_class = 'worker_lost' OR attempts + 1 < max_attempts THEN 1 ELSE 2 END"""
# Of a provider that takes its time, whoever leaves long articles to others passes over them, and a claim holds no more
# than its turn has time for, the most urgent first and of these the largest; one at least. NULL asks nothing.
_FITS = """(%(longest)s::bigint IS NULL OR %(longest)s >= (
          SELECT octet_length(a.content) FROM articles a WHERE a.id = embedding_tasks.article_id))"""
_BYTES = """CASE WHEN %(most_bytes)s::bigint IS NOT NULL THEN (
               SELECT octet_length(a.content) FROM articles a WHERE a.id = candidates.article_id) END"""
_AGED = f"""
aged AS (
    SELECT id, article_id, priority_rank AS rank, {_PERIL} AS peril FROM embedding_tasks
    WHERE (SELECT are_off FROM brakes)
      AND status = 'pending' AND space_id = %(space)s AND scheduled_at <= statement_timestamp() - %(aged_after)s
      AND (%(with_trial)s OR NOT ({IS_ON_TRIAL})) AND {_FITS}
    ORDER BY scheduled_at
    LIMIT %(aged_slots)s
    FOR UPDATE SKIP LOCKED
)"""  # noqa: S608  the only text put in is our own


def _ranked(name: str, rank: int, *before: str) -> str:
    taken = "".join(f" - (SELECT count(*) FROM {other})" for other in before)  # noqa: S608
    return f"""
{name} AS (
    SELECT id, article_id, priority_rank AS rank, {_PERIL} AS peril FROM embedding_tasks
    WHERE (SELECT are_off FROM brakes)
      AND status = 'pending' AND space_id = %(space)s AND priority_rank = {rank}
      AND scheduled_at <= statement_timestamp() AND (%(with_trial)s OR NOT ({IS_ON_TRIAL}))
      AND {_FITS}
    ORDER BY scheduled_at, id
    LIMIT %(size)s{taken}
    FOR UPDATE SKIP LOCKED
)"""  # noqa: S608  the only text put in is our own


def _due(*found: str) -> str:
    """What is taken of all that was found; the bound tells the planner how few there are."""
    union = " UNION ".join(f"SELECT id, article_id, rank, peril FROM {name}" for name in found)  # noqa: S608
    return f"""
at_its_last AS (
    SELECT EXISTS (SELECT 1 FROM embedding_tasks WHERE status = 'processing' AND attempts >= max_attempts
                   AND error_class = 'provider_lost') AS is_held
), candidates AS (
    SELECT id, article_id, rank, peril FROM ({union}) AS found
    WHERE peril < 2 OR NOT (SELECT is_held FROM at_its_last)
), due AS (
    SELECT id FROM (
        SELECT id, row_number() OVER line AS place, sum(bytes) OVER line AS bytes_so_far
        FROM (SELECT id, rank, {_BYTES} AS bytes FROM candidates
              WHERE peril = (SELECT max(peril) FROM candidates)) AS measured
        WINDOW line AS (ORDER BY rank, bytes DESC, id)) AS chosen
    WHERE place <= CASE (SELECT max(peril) FROM candidates) WHEN 0 THEN %(size)s WHEN 1 THEN %(company)s ELSE 1 END
      AND (place = 1 OR %(most_bytes)s::bigint IS NULL OR bytes_so_far <= %(most_bytes)s)
    LIMIT %(size)s
)"""  # noqa: S608  the only text put in is our own


# The statement may have waited for a locked table: its lease begins when it takes, not when it was sent.
_TAKE = f"""
UPDATE embedding_tasks t SET
    status = 'processing', attempts = t.attempts + 1, outcome = '', is_alone = false,
    processed_at = statement_timestamp(), completed_at = NULL,
    lease_expires_at = clock_timestamp() + %(lease)s, claim_token = %(token)s, claimed_by = %(claimed_by)s,
    source_version = a.version_number, content_hash = a.content_hash
FROM due, articles a
WHERE t.id = due.id AND a.id = t.article_id
RETURNING t.id, t.attempts, t.max_attempts, t.metadata ? 'anew', t.{WAS_LOST}, a.id, a.version_number,
          a.content_hash, a.title, a.content
"""  # noqa: S608  the only text put in is our own

_CLAIM_DUE = f"""
WITH {_BRAKES}, {_AGED},
{_ranked("high", 1, "aged")}, {_ranked("normal", 2, "aged", "high")}, {_ranked("low", 3, "aged", "high", "normal")},
{_due("aged", "high", "normal", "low")}
{_TAKE}"""

# What remains when the lowest rank must wait: no share for the old, who are mostly of that rank.
_CLAIM_FRESH = f"""
WITH {_BRAKES},
{_ranked("high", 1)}, {_ranked("normal", 2, "high")},
{_due("high", "normal")}
{_TAKE}"""

_CLAIM_OF_ARTICLES = f"""
WITH due AS (
    SELECT id FROM embedding_tasks
    WHERE status = 'pending' AND space_id = %(space)s AND article_id = ANY(%(articles)s)
    FOR UPDATE SKIP LOCKED
)
{_TAKE}"""  # noqa: S608  the only text put in is our own

# One process at a time, and those first that were lost most often: two trials at once could blame each other's text.
_CLAIM_ON_TRIAL = f"""
WITH {_BRAKES}, due AS (
    SELECT id FROM embedding_tasks
    WHERE (SELECT are_off FROM brakes)
      AND status = 'pending' AND space_id = %(space)s AND losses > 0 AND {IS_ON_TRIAL}
      AND scheduled_at <= statement_timestamp() AND (%(with_low)s OR priority_rank < 3)
      AND NOT EXISTS (SELECT FROM embedding_tasks WHERE status = 'processing' AND {IS_ON_TRIAL})
    ORDER BY losses DESC, id
    LIMIT %(size)s
    FOR UPDATE SKIP LOCKED
)
{_TAKE}"""  # noqa: S608  the only text put in is our own
_IS_TRIAL_DUE = f"""
SELECT EXISTS (SELECT FROM embedding_tasks
               WHERE status = 'pending' AND space_id = %s AND losses > 0 AND {IS_ON_TRIAL}
                 AND scheduled_at <= statement_timestamp())
"""  # noqa: S608
_MARK_ALONE = """
UPDATE embedding_tasks t SET is_alone = true
WHERE t.claim_token = %s AND t.status = 'processing'
  AND NOT EXISTS (SELECT FROM embedding_tasks o
                  WHERE o.status = 'processing' AND o.claimed_by = t.claimed_by AND o.id <> t.id)
"""

# What a claim took whose answer was lost: what _TAKE would have answered.
_TAKEN = f"""
SELECT t.id, t.attempts, t.max_attempts, t.metadata ? 'anew', t.{WAS_LOST}, a.id, a.version_number,
       a.content_hash, a.title, a.content
FROM embedding_tasks t JOIN articles a ON a.id = t.article_id
WHERE t.status = 'processing' AND t.claim_token = %(token)s
"""  # noqa: S608  the only text put in is our own


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
    company: int = COMPANY,
    with_trial: bool = False,
    room: Room = Room(),
) -> Claim:
    """Up to `size` due tasks of a space, best rank first, with a share for those that have waited longest; none of the
    lowest rank unless `with_low`, and no more than `company` that were lost with a worker or the provider; what is on
    trial only `with_trial`, by a process that has tried many of them.

    Takes nothing while the queue is paused or this worker's row says it shall not run. The attempt is counted here,
    so that a task which kills its worker still reaches its limit.
    """
    aged = ageing.slots_for_aged(size, random.random()) if with_low else 0
    found = _take(
        _CLAIM_DUE if with_low else _CLAIM_FRESH,
        space,
        worker_name,
        {
            "size": size,
            "company": company,
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
        cursor.execute(_IS_TRIAL_DUE, [space.pk])
        return bool(cursor.fetchone()[0])


def claim_on_trial(
    space: Space, size: int, worker_id: int, worker_name: str, *, with_low: bool = True
) -> Claim:
    """Up to `size` of the tasks that were lost with several workers; none while another process has such."""
    return _take(
        _CLAIM_ON_TRIAL, space, worker_name, {"size": size, "worker": worker_id, "with_low": with_low}
    )


def mark_alone(claim: Claim) -> bool:
    """Writes down that the claim's one task is all that its worker holds; False where it is not.

    Who calls this sees to it that the process claims nothing else until the task is settled.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MARK_ALONE, [claim.token])
        return bool(cursor.rowcount)


def claim_of_articles(space: Space, article_ids: Sequence[int], claimed_by: str) -> Claim:
    """The pending tasks of these articles, due or not, for a process that embeds them itself."""
    return _take(_CLAIM_OF_ARTICLES, space, claimed_by, {"articles": list(article_ids)})


def _take(sql: str, space: Space, claimed_by: str, arguments: dict[str, Any]) -> Claim:
    token = uuid.uuid4()
    lease = timedelta(milliseconds=settings.EMBEDDING_WORKER_TIMEOUT)
    arguments |= {"space": space.pk, "token": token, "claimed_by": claimed_by, "lease": lease}
    try:
        rows = _rows(sql, arguments)
    except AWAY:  # it may be that only the answer was lost
        rows = with_database_retry(
            lambda: _rows(_TAKEN, arguments) or _rows(sql, arguments), "nothing claimed yet"
        )
    if rows:
        failpoints.reach("claimed")
    return Claim(space, token, [_claimed(row) for row in rows])


def _claimed(row: tuple[Any, ...]) -> Claimed:
    task_id, attempts, max_attempts, is_anew, was_lost, *source = row
    return Claimed(task_id, attempts, max_attempts, Source(*source), is_anew, was_lost)


def _rows(sql: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        return list(cursor.fetchall())
