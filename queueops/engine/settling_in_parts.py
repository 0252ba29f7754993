"""Settles a batch in parts where it cannot be settled whole: around articles that somebody keeps locked, and around
rows that the database refuses while it takes others."""

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

# One article that somebody else keeps locked must not hold up the others of its batch: after so many seconds halves are
# settled, each briefly tried, and what stays locked goes back to the queue.
_LOCK_SECONDS, _BRIEFLY, _LOCKED_FOR = 5.0, 0.1, 20.0
_LATER_SECONDS = 10.0
# As long as it waits with its tasks in hand, their leases cannot be renewed.
_LOCK_SHARE = 1 / 6
# So many texts that were each refused alone, and none taken, say that it is the database after all, whatever it made of
# the row that it was asked with.
_MANY_REFUSED = 8
# Somebody's trigger or constraint does not go away within the seconds after which a provider is asked again.
_REFUSED_SECONDS = 30.0


@dataclass
class _Search:
    """`until` is the moment at which what is locked goes back; `refused` has what was refused alone."""

    until: float
    refused: list[tuple[Success | Failure, Refusal]] = field(default_factory=list)


def settle(batch: Batch, *, waits: bool = True) -> Settled:
    """As settling.settle. A task whose article stays locked goes back uncharged; one whose rows alone are refused has
    that as its error. Raises DatabaseError where the database refuses whatever the text, where a whole table is locked,
    and for every lock unless it `waits` for articles."""
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
    """The database may have refused all for a moment, when these were tried: what is at fault is refused twice."""
    again = _Search(search.until)
    rest = replace(batch, results=[result for result, _ in search.refused], effort=Effort())
    return settled + _settle_part(rest, again), again


def _are_all(refused: Sequence[tuple[Success | Failure, Refusal]], batch: Batch) -> bool:
    """Whether it is the database after all: nothing of many was taken, or by now it takes nothing else either."""
    return len(refused) == len(batch.results) >= _MANY_REFUSED or _takes_no_row(batch)


def _takes_no_row(batch: Batch) -> bool:
    """Whether the database refuses a row of another article, too."""
    ours = [result.task.source.article_id for result in batch.results]
    return storage_probe.refusal_of_a_row(batch.claim.space, ours) is not None


def _settle_part(batch: Batch, search: _Search) -> Settled:
    """By halves, down to what is locked, which is waited for and then given back, and to what is refused alone."""
    is_alone = len(batch.results) == 1
    seconds = max(search.until - time.monotonic(), _BRIEFLY) if is_alone else _BRIEFLY
    try:
        return settling.settle(batch, seconds)
    except (DatabaseError, InterfaceError) as error:
        refusal = database_refusals.of(error)
        if refusal.blame not in (Blame.LOCK, Blame.ROWS):
            raise
    if is_alone and refusal.blame is Blame.LOCK:
        return _give_up(batch)
    if is_alone:
        search.refused.append((batch.results[0], refusal))
        return Settled(Counter(), 0, 0, batch.effort)
    first, second = batch.halves()
    return _settle_part(first, search) + _settle_part(second, search)


def _give_up(batch: Batch) -> Settled:
    """Gives back a task whose article stays locked; its lease ends where even that fails."""
    error = ProviderError(
        ErrorClass.TRANSIENT, "somebody else kept the article locked when its vectors were there"
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
    """Each of these is tried again later, or parked; its vectors are kept, so that no try is paid for again."""
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
        base_seconds=max(settings.EMBEDDING_RETRY_BACKOFF_BASE / 1000, _REFUSED_SECONDS),
        retry_after=None,
        draw=random.random(),
    )
    return Failure(task, error, decision)
