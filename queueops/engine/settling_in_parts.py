"""Settles a batch in parts if it cannot be settled whole: around articles that another session keeps locked, and around
rows that the database refuses while it accepts others."""

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from embeddings.providers.errors import ErrorClass, ProviderError
from queueops.base import database_refusals
from queueops.base.database_refusals import Blame, Refusal
from queueops.engine import retry_policy, settling, storage_probe
from queueops.engine.claims import Claimed
from queueops.engine.results import Batch, Effort, Failure, Settled, Success
from queueops.engine.table_lock_pause import locked_out
from queueops.engine.unsaved_vectors import unsaved

# An article that another session keeps locked must not block the rest of its batch: after this many seconds the batch
# is settled by halves, each with a short lock wait, and articles that stay locked are requeued.
_LOCK_SECONDS, _BRIEFLY, _LOCKED_FOR = 5.0, 0.1, 20.0
_LATER_SECONDS = 10.0
# Share of a lease to wait for locks: while it waits with its tasks locked, their leases cannot be renewed.
_LOCK_SHARE = 1 / 6
# This many texts refused one by one, and none accepted, mean that the database is at fault, even if it accepted the
# probe row.
_MANY_REFUSED = 8


@dataclass
class _Search:
    """`until` is the moment at which locked articles are requeued; `refused` holds results refused one by one."""

    until: float
    refused: list[tuple[Success | Failure, Refusal]] = field(default_factory=list)


def settle(batch: Batch, *, waits: bool = True) -> Settled:
    """As settling.settle. A task whose article stays locked is requeued uncharged; a task whose own rows are refused
    gets that as its error. Raises DatabaseError if the database refuses any text, if a whole table is locked, and for
    every lock unless it `waits` for articles."""
    try:
        return settling.settle(batch, _lock_seconds())
    except (DatabaseError, InterfaceError) as error:
        blame = database_refusals.of(error).blame
        if blame not in (Blame.LOCK, Blame.ROWS) or (blame is Blame.ROWS and _takes_no_row(batch)):
            raise
        if blame is Blame.LOCK and (not waits or (locked_out.note(error) and locked_out.is_lasting())):
            raise
        search = _Search(time.monotonic() + _LOCKED_FOR)
        settled = _settle_part(batch, search)
        if search.refused:
            settled, search = _settle_again(batch, settled, search)
        if search.refused and _are_all(search.refused, batch):
            raise
    return settled + _charge(batch, search.refused) if search.refused else settled


def _lock_seconds() -> float:
    return min(_LOCK_SECONDS, settings.EMBEDDING_WORKER_TIMEOUT / 1000 * _LOCK_SHARE)


def _settle_again(batch: Batch, settled: Settled, search: _Search) -> tuple[Settled, _Search]:
    """Settles the refused results again: the database may have refused everything for a moment."""
    second = _Search(search.until)
    rest = replace(batch, results=[result for result, _ in search.refused], effort=Effort())
    return settled + _settle_part(rest, second), second


def _are_all(refused: Sequence[tuple[Success | Failure, Refusal]], batch: Batch) -> bool:
    """Whether the database is at fault: it accepted none of many, or refuses other rows by now as well."""
    return len(refused) == len(batch.results) >= _MANY_REFUSED or _takes_no_row(batch)


def _takes_no_row(batch: Batch) -> bool:
    """Whether the database refuses a row of another article as well."""
    ours = [result.task.source.article_id for result in batch.results]
    return storage_probe.refusal_of_a_row(batch.claim.space, ours) is not None


def _settle_part(batch: Batch, search: _Search) -> Settled:
    """Settles by halves, down to locked articles, which are waited for and then requeued, and to rows refused alone."""
    is_alone = len(batch.results) == 1
    seconds = max(search.until - time.monotonic(), _BRIEFLY) if is_alone else _BRIEFLY
    try:
        return settling.settle(batch, seconds)
    except (DatabaseError, InterfaceError) as error:
        refusal = database_refusals.of(error)
        if refusal.blame not in (Blame.LOCK, Blame.ROWS):
            raise
    if is_alone and refusal.blame is Blame.LOCK:
        return _requeue_locked(batch)
    if is_alone:
        search.refused.append((batch.results[0], refusal))
        return Settled(Counter(), 0, 0, batch.effort)
    first, second = batch.halves()
    return _settle_part(first, search) + _settle_part(second, search)


def _requeue_locked(batch: Batch) -> Settled:
    """Requeues a task whose article stays locked; if that fails too, its lease ends."""
    error = ProviderError(
        ErrorClass.TRANSIENT, "another session kept the article locked while its vectors were being stored"
    )
    task = batch.results[0].task
    try:
        given = settling.give_back(batch.claim, [task], error, _LATER_SECONDS, _BRIEFLY)
    except (DatabaseError, InterfaceError) as locked:
        if database_refusals.of(locked).blame is not Blame.LOCK:
            raise
        given = 0
    return Settled(Counter(), given, 1 - given, batch.effort, _LATER_SECONDS)


def _charge(batch: Batch, refused: Sequence[tuple[Success | Failure, Refusal]]) -> Settled:
    """Retries each of these later, or parks it; their vectors are kept, so that a retry costs no provider call."""
    for result, _ in refused:
        if isinstance(result, Success):
            vectors = {h: batch.by_hash[h] for h in result.rendered.hashes}
            unsaved.keep(batch.claim.space.pk, vectors)
    failures = [_failure(result.task, refusal) for result, refusal in refused]
    return settling.settle(Batch(batch.claim, failures, {}, Effort()), _lock_seconds())


def _failure(task: Claimed, refusal: Refusal) -> Failure:
    error = ProviderError(
        ErrorClass.STORAGE_REFUSED, f"the database refuses the vectors of this text alone ({refusal})"
    )
    decision = retry_policy.decide(
        error.kind,
        attempts=task.attempts,
        max_attempts=task.max_attempts,
        base_seconds=retry_policy.base_seconds(error.kind, settings.EMBEDDING_RETRY_BACKOFF_BASE / 1000),
        retry_after=None,
        draw=random.random(),
    )
    return Failure(task, error, decision)
