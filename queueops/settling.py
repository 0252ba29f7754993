"""Writes the end of a claim in one transaction: vectors, tasks, audit and metrics, all behind the claim's token."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from embeddings import arrays, indexing
from embeddings.indexing import Rendered
from embeddings.providers.errors import ProviderError
from embeddings.vectors import WireVector
from queueops import failpoints, history
from queueops.claims import Claim, Claimed
from queueops.models import AuditLog, Outcome, Status
from queueops.patience import patiently
from queueops.retries import Decision, Verdict


@dataclass(frozen=True, slots=True)
class Success:
    task: Claimed
    rendered: Rendered
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Failure:
    task: Claimed
    error: ProviderError
    decision: Decision


@dataclass(frozen=True)
class Effort:
    """What the batch cost."""

    seconds: float = 0.0
    provider_seconds: float = 0.0
    requests: int = 0
    texts: int = 0


@dataclass(frozen=True)
class Settled:
    """What came of a claim. `lost` counts tasks that were no longer ours: their lease had ended, they were cancelled
    or deleted, or an operator changed them; nothing was written for them. `retry_in`: after so many seconds all that
    are to be tried again are due; None where none waits for a time of its own."""

    outcomes: Counter[str]
    retried: int
    lost: int
    effort: Effort
    retry_in: float | None = None

    @property
    def failed(self) -> int:
        return self.outcomes[Outcome.FAILED]

    def as_log(self) -> dict[str, Any]:
        rest = {"retried": self.retried, "lost": self.lost}
        return {
            **self.outcomes,
            **{key: value for key, value in rest.items() if value},
            "requests": self.effort.requests,
            "ms": round(self.effort.seconds * 1000),
        }


# Articles are locked before tasks, as a delete does, and against a second settle of the same article; only then is it
# asked whether the task is still ours and its text still the newest. A worker that freezes with these locks in hand
# would hold up saves: the server ends its session when the lease would have ended.
_LOCK_ARTICLES = """
SELECT a.id FROM articles a, (SELECT set_config('idle_in_transaction_session_timeout', %s, true)) AS guarded
WHERE a.id = ANY(%s::bigint[]) ORDER BY a.id FOR NO KEY UPDATE OF a
"""
_STILL_OURS = """
SELECT t.id, a.content_hash = t.content_hash AND a.version_number = t.source_version
FROM embedding_tasks t JOIN articles a ON a.id = t.article_id
WHERE t.id = ANY(%s::bigint[]) AND t.claim_token = %s AND t.status = 'processing'
ORDER BY t.id FOR UPDATE OF t
"""
_COMPLETE = """
UPDATE embedding_tasks t SET
    status = 'completed', outcome = d.outcome, completed_at = clock_timestamp(), lease_expires_at = NULL,
    claim_token = NULL, error_class = '', error_message = ''
FROM unnest(%s::bigint[], string_to_array(%s, ',')) AS d (id, outcome)
WHERE t.id = d.id
"""
# A newer pending task of the same article makes another try of this one pointless.
_FAIL = """
UPDATE embedding_tasks t SET
    status = CASE WHEN d.is_parked THEN 'failed' WHEN newer.id IS NOT NULL THEN 'completed' ELSE 'pending' END,
    outcome = CASE WHEN d.is_parked THEN 'failed' WHEN newer.id IS NOT NULL THEN 'superseded' ELSE '' END,
    completed_at = CASE WHEN d.is_parked OR newer.id IS NOT NULL THEN clock_timestamp() END,
    scheduled_at = CASE WHEN d.is_parked OR d.delay = 0 THEN t.scheduled_at
                        ELSE clock_timestamp() + d.delay * interval '1 second' END,
    attempts = t.attempts - d.refund, lease_expires_at = NULL, claim_token = NULL,
    error_class = d.error_class, error_message = d.error_message
FROM unnest(%s::bigint[], %s::boolean[], %s::float8[], %s::int[], %s::text[], %s::text[])
     AS d (id, is_parked, delay, refund, error_class, error_message)
     JOIN embedding_tasks own ON own.id = d.id
     LEFT JOIN embedding_tasks newer
         ON newer.article_id = own.article_id AND newer.space_id = own.space_id AND newer.status = 'pending'
WHERE t.id = d.id
RETURNING t.status
"""


def settle(
    claim: Claim, results: Sequence[Success | Failure], by_hash: dict[bytes, WireVector], effort: Effort
) -> Settled:
    """Writes every result whose task is still ours; a text that is no longer the newest ends as superseded.

    `by_hash` holds the vector of each chunk of the successes. While the database is gone this is tried again: the
    vectors are paid for. Where only the answer to a commit was lost, the token is gone and nothing is written twice.
    """
    return patiently(lambda: _settle(claim, results, by_hash, effort), "batch not settled yet")


@transaction.atomic
def _settle(
    claim: Claim, results: Sequence[Success | Failure], by_hash: dict[bytes, WireVector], effort: Effort
) -> Settled:
    is_newest = _still_ours(claim, results)
    failpoints.reach("settle_locked")
    ours = [result for result in results if result.task.task_id in is_newest]
    successes = [result for result in ours if isinstance(result, Success)]
    failures = [result for result in ours if isinstance(result, Failure)]
    current = [result.rendered for result in successes if is_newest[result.task.task_id]]
    indexing.store(claim.space, current, by_hash)
    failpoints.reach("stored")
    outcomes = Counter[str](
        result.outcome if is_newest[result.task.task_id] else Outcome.SUPERSEDED for result in successes
    )
    _complete(successes, is_newest)
    ended = _fail(failures)
    failpoints.reach("completed")
    outcomes += Counter({Outcome.FAILED: ended[Status.FAILED], Outcome.SUPERSEDED: ended[Status.COMPLETED]})
    settled = Settled(
        outcomes, ended[Status.PENDING], len(results) - len(ours), effort, _longest_delay(failures)
    )
    _write_history(claim, settled, failures)
    failpoints.reach("before_commit")
    return settled


def _still_ours(claim: Claim, results: Sequence[Success | Failure]) -> dict[int, bool]:
    """Task id → whether its text is still the article's newest; tasks that are no longer ours are left out."""
    articles = arrays.of_integers(result.task.source.article_id for result in results)
    tasks = arrays.of_integers(result.task.task_id for result in results)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_ARTICLES, [str(settings.EMBEDDING_WORKER_TIMEOUT), articles])
        cursor.execute(_STILL_OURS, [tasks, claim.token])
        return dict(cursor.fetchall())


def _complete(successes: Sequence[Success], is_newest: dict[int, bool]) -> None:
    if not successes:
        return
    ids = arrays.of_integers(result.task.task_id for result in successes)
    outcomes = [r.outcome if is_newest[r.task.task_id] else Outcome.SUPERSEDED for r in successes]
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETE, [ids, ",".join(outcomes)])


def _fail(failures: Sequence[Failure]) -> Counter[str]:
    """Parks or reschedules; answers how many tasks ended in which status."""
    if not failures:
        return Counter()
    columns = zip(*(_failure_row(failure) for failure in failures), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_FAIL, [list(column) for column in columns])
        return Counter(status for (status,) in cursor.fetchall())


def _longest_delay(failures: Sequence[Failure]) -> float | None:
    again = (f.decision.delay_seconds for f in failures if f.decision.verdict is not Verdict.PARK)
    return max(again, default=0.0) or None


def _failure_row(failure: Failure) -> tuple[int, bool, float, int, str, str]:
    decision = failure.decision
    return (
        failure.task.task_id,
        decision.verdict is Verdict.PARK,
        decision.delay_seconds,
        int(decision.verdict is Verdict.WAIT),
        failure.error.kind.value,
        str(failure.error)[: history.MESSAGE_CHARACTERS],
    )


def _write_history(claim: Claim, settled: Settled, failures: Sequence[Failure]) -> None:
    effort = settled.effort
    history.write(
        {**settled.outcomes, "retried": settled.retried, "lost": settled.lost},
        {
            "batch_tasks": float(len(claim.tasks)),
            "batch_seconds": effort.seconds,
            "provider_seconds": effort.provider_seconds,
            "provider_requests": float(effort.requests),
            "provider_texts": float(effort.texts),
            "batch_failed": float(settled.failed),
            "batch_lost": float(settled.lost),
        },
        {"space": claim.space.pk, "provider": claim.space.provider},
        [_parked(failure) for failure in failures if failure.decision.verdict is Verdict.PARK],
    )


def _parked(failure: Failure) -> AuditLog:
    task, error = failure.task, f"({failure.error.kind.value}): {failure.error}"
    return history.parked(task.task_id, task.source.article_id, task.attempts, error)
