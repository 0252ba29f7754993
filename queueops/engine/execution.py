"""Executes a claim: render, reuse, embed, settle. The provider is called outside any transaction."""

import itertools
import random
import time
from dataclasses import dataclass, field

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from embeddings.indexing import isolation
from embeddings.indexing.embed import Vectors
from embeddings.indexing.provider_session import ProviderSession
from embeddings.indexing.render import Rendered, render_all
from embeddings.indexing.store import reusable
from embeddings.models import Space, SpaceState
from embeddings.providers.errors import ErrorClass, NotAskedError, ProviderError
from embeddings.storage import kept_vectors
from embeddings.storage.vectors import WireVector
from lib import database_connection
from queueops.admission import circuit_breaker, gate, rate_limiter, self_pause
from queueops.admission.circuit_breaker import BatchVerdict
from queueops.admission.gate import Permit
from queueops.base import database_refusals, failpoints, shutdown
from queueops.base.database_refusals import Refusal
from queueops.base.database_retry import with_database_retry
from queueops.engine import bisection, retry_policy, settle_retry
from queueops.engine.claims import Claim, Claimed
from queueops.engine.partial_vectors import PartialVectors
from queueops.engine.results import Batch, Effort, Failure, Settled, Success
from queueops.engine.unsaved_vectors import unsaved
from queueops.models import Outcome, refused_steps
from queueops.models.metric import PROVIDER_STEP

# The lease is renewed while a batch runs (leases.py), so the provider's time does not depend on its length.
_DEADLINE_SECONDS = 120.0
# A batch that the database refuses is held for this long after the deadline: less than its lease is renewed for.
_HELD_SECONDS = 50.0
# Each earlier failure of a text reduces the request to this share: it may have been too large.
_SHARE_AFTER_FAILURE = 0.25

log = structlog.get_logger(__name__)


@dataclass
class _Run:
    """A claim in execution: rendered articles; vectors by hash that are stored, kept from an earlier batch, or left
    unsaved by an earlier attempt; the provider's vectors, which of them the database has, and whether the provider's
    breaker is open."""

    claim: Claim
    permit: Permit
    started: float = field(default_factory=time.perf_counter)
    rendered: list[tuple[Claimed, Rendered]] = field(default_factory=list)
    stored: dict[bytes, WireVector] = field(default_factory=dict)
    kept: dict[bytes, WireVector] = field(default_factory=dict)
    unsaved: dict[bytes, WireVector] = field(default_factory=dict)
    safe: frozenset[bytes] = frozenset()
    progressed: set[int] = field(default_factory=set)
    refused: dict[int, Refusal] = field(default_factory=dict)
    vectors: Vectors = field(default_factory=Vectors)
    provider_seconds: float = 0.0
    is_out: bool = False


def deadline_seconds() -> float:
    """How long all provider calls of one batch may take together."""
    return _DEADLINE_SECONDS


def execute(claim: Claim, deadline: float | None = None, permit: Permit | None = None) -> Settled:
    """Brings the claimed articles up to date and settles their tasks; returns what was settled.

    Provider errors are written to the tasks' and the provider's rows, never raised. `deadline` is in seconds, for all
    provider calls; `permit` is the one with which the tasks were claimed, if any.
    """
    run = _Run(claim, permit or Permit(claim.space.provider))
    _render(run)
    failpoints.reach("rendered")
    _embed(run, deadline or deadline_seconds())
    failpoints.reach("after_provider")
    is_reported = _report(run)  # first, so that other workers stop calling a provider that is down
    settled = settle_retry.settle(_batch(run), _held_until(run, deadline))
    failpoints.reach("after_commit")
    if not is_reported:
        _report(run)
    log.info("batch settled", space=claim.space.pk, **settled.as_log())
    return settled


def _batch(run: _Run) -> Batch:
    effort = Effort(
        seconds=time.perf_counter() - run.started,
        provider_seconds=run.provider_seconds,
        requests=run.vectors.requests,
        texts=run.vectors.texts,
    )
    results = [_result(run, task, rendered) for task, rendered in run.rendered]
    return Batch(run.claim, results, run.vectors.by_hash, effort)


def _held_until(run: _Run, deadline: float | None) -> float:
    """The moment until which a batch that the database refuses is held; a caller with a deadline does not wait."""
    elapsed = time.perf_counter() - run.started
    left = 0.0 if deadline else deadline_seconds() + _HELD_SECONDS - elapsed
    return time.monotonic() + left


def _render(run: _Run) -> None:
    space, tasks = run.claim.space, run.claim.tasks
    rendered = zip(tasks, render_all(space, (task.source for task in tasks)), strict=True)
    run.rendered = [(task, _cut(space, task, one) if task.is_to_be_cut else one) for task, one in rendered]
    reusing = [rendered for task, rendered in run.rendered if not task.is_reembedding]
    found = with_database_retry(lambda: reusable(run.claim.space, reusing), "batch not started")
    excluded = {
        text_hash for task, rendered in run.rendered if task.is_reembedding for text_hash in rendered.hashes
    }
    run.stored = {
        text_hash: vector for text_hash, vector in found.stored.items() if text_hash not in excluded
    }
    run.kept = {text_hash: vector for text_hash, vector in found.kept.items() if text_hash not in excluded}
    reembedded = [task.source.article_id for task, _ in run.rendered if task.is_reembedding]
    run.kept |= with_database_retry(
        lambda: kept_vectors.of_articles(run.claim.space.pk, reembedded), "batch not started"
    )
    needed = itertools.chain.from_iterable(rendered.hashes for _, rendered in run.rendered)
    missing = (text_hash for text_hash in needed if text_hash not in run.stored and text_hash not in run.kept)
    run.unsaved = unsaved.take(run.claim.space.pk, missing)


def _cut(space: Space, task: Claimed, rendered: Rendered) -> Rendered:
    """The article with what it still lacks in small chunks."""
    known = with_database_retry(lambda: reusable(space, [rendered]), "batch not started")
    missing = rendered.hashes if task.is_reembedding else set(rendered.hashes) - known.stored.keys()
    return isolation.in_smallest_chunks(space, rendered, missing)


def _embed(run: _Run, deadline: float) -> None:
    database_connection.release()
    failpoints.reach("before_provider")
    before = time.perf_counter()
    seconds = min(deadline, circuit_breaker.CANARY_SECONDS) if run.permit.canary else deadline
    partial = PartialVectors(run.claim.space, run.claim.token, run.rendered, run.stored, run.kept)
    asking = _asking(run.claim, seconds, partial)
    at_hand = run.unsaved | run.kept | run.stored
    run.vectors = bisection.embed_isolating(asking, [rendered for _, rendered in run.rendered], at_hand)
    run.provider_seconds = time.perf_counter() - before
    complete = (rendered.hashes for _, rendered in run.rendered if _is_complete(run, rendered))
    run.safe = partial.finish(run.vectors.by_hash, itertools.chain.from_iterable(complete))
    run.progressed, run.refused = partial.progressed, partial.refused


def _asking(claim: Claim, seconds: float, partial: PartialVectors) -> ProviderSession:
    failures = max((task.attempts - 1 for task in claim.tasks), default=0)
    share = _SHARE_AFTER_FAILURE ** min(failures, 10)
    meter = rate_limiter.meter(claim.space.provider)
    return ProviderSession(claim.space, seconds, meter, shutdown.sleep, partial.between, share)


def _report(run: _Run) -> bool:
    """Reports the batch's verdict on its provider to all workers; False if the database does not accept it now, which
    must not stop the batch from being settled."""
    failure = run.vectors.failure
    if isinstance(failure, NotAskedError):
        failure = None  # not the provider's error
    try:
        run.is_out = gate.report(run.permit, _verdict(run), failure)
        if failure and failure.kind is ErrorClass.AUTH and run.claim.space.state == SpaceState.SERVING:
            self_pause.pause_itself(run.claim.space.provider, failure, time.perf_counter() - run.started)
    except (DatabaseError, InterfaceError) as error:
        refused_steps.note(PROVIDER_STEP, error)
        log.warning("provider state not written", reason=str(database_refusals.of(error)))
        return False
    return True


def _verdict(run: _Run) -> BatchVerdict:
    made, failure = run.vectors, run.vectors.failure
    if isinstance(failure, NotAskedError):
        return (
            BatchVerdict.ANSWERED if made.texts else BatchVerdict.NONE
        )  # the bisection could not find out whether its errors were its own
    if failure and failure.kind is ErrorClass.AUTH and run.claim.space.state != SpaceState.SERVING:
        return (
            BatchVerdict.FAILED
        )  # its breaker opens; to pause the queue would stop the serving space as well
    return circuit_breaker.verdict_of(
        failure.kind if failure else None, requests=made.requests, texts=made.texts
    )


def _result(run: _Run, task: Claimed, rendered: Rendered) -> Success | Failure:
    rendered = _replaced(run, rendered)
    has_progressed = task.source.article_id in run.progressed
    if _is_complete(run, rendered):
        had_kept = has_progressed or not run.kept.keys().isdisjoint(rendered.hashes)
        return Success(task, rendered, _outcome(run, rendered), had_kept)
    error = _error(run, rendered)
    decision = retry_policy.decide(
        error.kind,
        attempts=task.attempts,
        max_attempts=task.max_attempts,
        base_seconds=retry_policy.base_seconds(error.kind, settings.EMBEDDING_RETRY_BACKOFF_BASE / 1000),
        retry_after=error.retry_after,
        draw=random.random(),
        is_out=run.is_out,
        is_canary=run.permit.canary is not None,
        has_progressed=has_progressed,
        is_alone=task.was_lost and len(run.claim.tasks) == 1,
        may_be_cut=_may_be_cut(run, task, rendered),
    )
    return Failure(task, error, decision)


def _may_be_cut(run: _Run, task: Claimed, rendered: Rendered) -> bool:
    """Whether a text that was lost before and was alone now is long, made no progress, and was sent whole only: where
    the provider was back at once, the bisection has tried its parts already."""
    is_alone = task.was_lost and len(run.claim.tasks) == 1
    was_in_parts = (
        task.is_to_be_cut or run.vectors.error_of(rendered) or task.source.article_id in run.progressed
    )
    if was_in_parts or not is_alone:
        return False
    chunks = zip(rendered.chunks, rendered.hashes, strict=True)
    lacking = (chunk for chunk, text_hash in chunks if text_hash not in run.vectors.by_hash)
    return any(isolation.is_worth_cutting(run.claim.space, chunk) for chunk in lacking)


def _is_complete(run: _Run, rendered: Rendered) -> bool:
    """Also with the smaller chunks it was cut into. Asked twice for each text of a batch."""
    vectors, rendered = run.vectors, _replaced(run, rendered)
    if vectors.errors and vectors.error_of(rendered):
        return False
    return all(map(vectors.by_hash.__contains__, rendered.hashes))


def _replaced(run: _Run, rendered: Rendered) -> Rendered:
    """With the smaller chunks that replace what was too long, if any."""
    instead = run.vectors.instead
    return instead.get(rendered.source.article_id, rendered) if instead else rendered


def _error(run: _Run, rendered: Rendered) -> ProviderError:
    error = run.vectors.error_of(rendered) or run.vectors.failure
    if error is None:
        return ProviderError(ErrorClass.TRANSIENT, "the provider returned no vector for this text")
    if error.kind is not ErrorClass.POSTPONED:
        return error
    if refusal := run.refused.get(rendered.source.article_id):
        message = f"the database refuses the vectors of this text alone ({refusal})"
        return ProviderError(ErrorClass.STORAGE_REFUSED, message)
    chunks = set(rendered.hashes)
    done = len(chunks & run.safe)
    message = f"{done:,} of {len(chunks):,} chunks are embedded; the next attempt continues from there"
    return ProviderError(error.kind, message)


def _outcome(run: _Run, rendered: Rendered) -> Outcome:
    if not rendered.chunks:
        return Outcome.EMPTY
    is_reused = all(map(run.stored.__contains__, rendered.hashes))
    return Outcome.UNCHANGED if is_reused else Outcome.EMBEDDED
