"""Carries a claim to its end: render, reuse, embed, settle. The provider is called outside any transaction."""

import random
import time
from dataclasses import dataclass, field

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from embeddings import indexing
from embeddings.asking import Asking
from embeddings.indexing import Rendered, Vectors
from embeddings.providers.errors import ErrorClass, NotAskedError, ProviderError
from embeddings.vectors import WireVector
from queueops import (
    breaking,
    failpoints,
    gate,
    limiter,
    outwaiting,
    resting,
    retries,
    settling,
    suspects,
    switches,
)
from queueops.breaking import News
from queueops.claims import Claim, Claimed
from queueops.gate import Passage
from queueops.models import Outcome
from queueops.patience import patiently
from queueops.results import Effort, Failure, Settled, Success

# The lease is renewed while a batch runs (leases.py), so the provider's time does not depend on its length.
_DEADLINE_SECONDS = 120.0

log = structlog.get_logger(__name__)


@dataclass
class _Run:
    """A claim on its way: what was rendered, what could be reused, what the provider gave, and whether it is out."""

    claim: Claim
    passage: Passage
    started: float = field(default_factory=time.perf_counter)
    rendered: list[tuple[Claimed, Rendered]] = field(default_factory=list)
    reused: dict[bytes, WireVector] = field(default_factory=dict)
    vectors: Vectors = field(default_factory=Vectors)
    provider_seconds: float = 0.0
    is_out: bool = False


def deadline_seconds() -> float:
    """How long all provider calls of one batch may take together."""
    return _DEADLINE_SECONDS


def execute(claim: Claim, deadline: float | None = None, passage: Passage | None = None) -> Settled:
    """Brings the claimed articles up to date and settles their tasks; answers what was settled.

    Provider errors end in the tasks' and the provider's rows, never here. `deadline` is in seconds, for the provider's
    part; `passage` is the leave with which the tasks were claimed, if it was asked for.
    """
    run = _Run(claim, passage or Passage(claim.space.provider))
    _render(run)
    failpoints.reach("rendered")
    _embed(run, deadline or deadline_seconds())
    failpoints.reach("after_provider")
    is_told = _tell(run)  # first, so that others leave a provider alone that is out
    settled = _settle(run, waits=deadline is None)
    failpoints.reach("after_commit")
    if not is_told:
        _tell(run)
    log.info("batch settled", space=claim.space.pk, **settled.as_log())
    return settled


def _settle(run: _Run, *, waits: bool) -> Settled:
    """Unless it `waits`, for somebody waits for this batch, a lock ends it: the tasks go back."""
    results = [_result(run, task, rendered) for task, rendered in run.rendered]
    effort = Effort(
        seconds=time.perf_counter() - run.started,
        provider_seconds=run.provider_seconds,
        requests=run.vectors.requests,
        texts=run.vectors.texts,
    )
    return outwaiting.settled(
        lambda: settling.settle(run.claim, results, run.vectors.by_hash, effort, waits=waits),
        run.claim,
        outwaiting.SECONDS if waits else 0.0,
    )


def _render(run: _Run) -> None:
    run.rendered = [(task, indexing.render(run.claim.space, task.source)) for task in run.claim.tasks]
    reusing = [rendered for task, rendered in run.rendered if not task.is_anew]
    found = patiently(lambda: indexing.reusable(run.claim.space, reusing), "batch not begun yet")
    anew = {text_hash for task, rendered in run.rendered if task.is_anew for text_hash in rendered.hashes}
    run.reused = {text_hash: vector for text_hash, vector in found.items() if text_hash not in anew}


def _embed(run: _Run, deadline: float) -> None:
    release_connection()
    failpoints.reach("before_provider")
    before = time.perf_counter()
    space = run.claim.space
    seconds = min(deadline, breaking.CANARY_SECONDS) if run.passage.canary else deadline
    asking = Asking(space, seconds, limiter.meter(space.provider), resting.rest)
    run.vectors = suspects.embed(asking, [rendered for _, rendered in run.rendered], run.reused)
    run.provider_seconds = time.perf_counter() - before


def _tell(run: _Run) -> bool:
    """Tells all workers what the batch learned of its provider; False where that cannot be written now, which must
    not keep what was paid for from being settled."""
    failure = run.vectors.failure
    if isinstance(failure, NotAskedError):
        failure = None  # the provider said nothing
    try:
        run.is_out = gate.tell(run.passage, _news(run), failure)
        if failure and failure.kind is ErrorClass.AUTH:
            switches.pause_itself(run.claim.space.provider, failure, time.perf_counter() - run.started)
    except (DatabaseError, InterfaceError) as error:
        log.warning("provider's state not written", error=type(error).__name__)
        return False
    return True


def _news(run: _Run) -> News:
    made, failure = run.vectors, run.vectors.failure
    if isinstance(failure, NotAskedError):
        return (
            News.ANSWERED if made.texts else News.NONE
        )  # whether its errors were its own was not to be found out
    return breaking.news_of(failure.kind if failure else None, requests=made.requests, texts=made.texts)


def release_connection() -> None:
    """Gives the database connection back for the length of a provider call."""
    if not connection.in_atomic_block:
        connection.close()


def _result(run: _Run, task: Claimed, rendered: Rendered) -> Success | Failure:
    rendered = run.vectors.instead.get(task.source.article_id, rendered)
    error = run.vectors.error_of(rendered)
    if error is None and all(text_hash in run.vectors.by_hash for text_hash in rendered.hashes):
        return Success(task, rendered, _outcome(run, rendered))
    error = (
        error
        or run.vectors.failure
        or ProviderError(ErrorClass.TRANSIENT, "the provider gave no vector for this text")
    )
    decision = retries.decide(
        error.kind,
        attempts=task.attempts,
        max_attempts=task.max_attempts,
        base_seconds=settings.EMBEDDING_RETRY_BACKOFF_BASE / 1000,
        retry_after=error.retry_after,
        draw=random.random(),
        is_out=run.is_out,
        is_canary=run.passage.canary is not None,
    )
    return Failure(task, error, decision)


def _outcome(run: _Run, rendered: Rendered) -> Outcome:
    if not rendered.chunks:
        return Outcome.EMPTY
    is_reused = all(text_hash in run.reused for text_hash in rendered.hashes)
    return Outcome.UNCHANGED if is_reused else Outcome.EMBEDDED
