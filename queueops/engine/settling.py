"""Settles a claim in one transaction: vectors, tasks, audit and metrics, all fenced by the claim's token."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from embeddings.indexing.render import Source
from embeddings.indexing.store import store
from embeddings.providers.errors import ProviderError
from embeddings.storage import kept_vectors
from lib import sql_arrays
from queueops.base import failpoints
from queueops.base.database_retry import retry_on_conflict, with_database_retry
from queueops.engine import batch_history, failed_attempts, priority_inheritance
from queueops.engine.claims import Claim, Claimed
from queueops.engine.results import Batch, Failure, Settled, Success
from queueops.engine.retry_policy import Decision, Verdict
from queueops.engine.worker_loss import WAS_LOST
from queueops.models import AuditLog, Outcome, Status

# Articles are locked before tasks, as in a delete, and against a second settle of the same article; only then the
# text's version and the token are checked. A worker that freezes while holding these locks would block saves, so the
# server ends its session when the lease would have ended.
_AT_ONCE = 0.01
# Two statements sent as one: a single one would wait for the table before the timeout is set.
_LOCK_ARTICLES = """
SELECT set_config('idle_in_transaction_session_timeout', %s, true), set_config('lock_timeout', %s, true);
SELECT a.id, a.version_number, a.content_hash FROM articles a
WHERE a.id = ANY(%s::bigint[]) ORDER BY a.id FOR NO KEY UPDATE OF a
"""
_LOCK_TASKS = """
SELECT t.id FROM embedding_tasks t
WHERE t.id = ANY(%s::bigint[]) AND t.claim_token = %s AND t.status = 'processing'
ORDER BY t.id FOR UPDATE OF t
"""
# The fence is part of the write: what the claim has lost is neither changed nor returned, and what is returned is
# locked until the commit of its vectors.
_COMPLETE = """
UPDATE embedding_tasks t SET
    status = 'completed', outcome = d.outcome, completed_at = clock_timestamp(), lease_expires_at = NULL,
    claim_token = NULL, error_class = '', error_message = ''
FROM unnest(%s::bigint[], string_to_array(%s, ',')) AS d (id, outcome)
WHERE t.id = d.id AND t.status = 'processing' AND t.claim_token = %s
RETURNING t.id
"""
# The text is not the newest any more and no other task embeds the newest: an edit may merge into a task just as it is
# claimed.
_GIVE_BACK = """
UPDATE embedding_tasks t SET
    status = 'pending', attempts = 0, scheduled_at = clock_timestamp(), lease_expires_at = NULL, claim_token = NULL,
    error_class = '', error_message = '', source_version = a.version_number, content_hash = a.content_hash
FROM articles a
WHERE t.id = ANY(%s::bigint[]) AND a.id = t.article_id
  AND NOT EXISTS (SELECT FROM article_embeddings e WHERE e.article_id = a.id AND e.space_id = t.space_id
                  AND e.chunk_index = 0 AND e.source_hash = a.content_hash)
  AND NOT EXISTS (SELECT FROM embedding_tasks o
                  WHERE o.article_id = t.article_id AND o.space_id = t.space_id AND o.id <> t.id
                  AND (o.status = 'pending' OR (o.status IN ('processing', 'failed', 'cancelled')
                                                AND o.content_hash = a.content_hash)))
RETURNING t.id
"""
# A newer pending task of the same article makes a retry of this one pointless. A task that was lost with a worker or
# the provider runs in small batches until it is charged for something else; being deferred clears it of nothing.
_KEEPS = f"d.refund = 1 AND d.error_class <> 'provider_lost' AND t.{WAS_LOST}"
_FAIL = f"""
UPDATE embedding_tasks t SET
    status = CASE WHEN d.is_parked THEN 'failed' WHEN newer.id IS NOT NULL THEN 'completed' ELSE 'pending' END,
    outcome = CASE WHEN d.is_parked THEN 'failed' WHEN newer.id IS NOT NULL THEN 'superseded' ELSE '' END,
    completed_at = CASE WHEN d.is_parked OR newer.id IS NOT NULL THEN clock_timestamp() END,
    scheduled_at = CASE WHEN d.is_parked OR newer.id IS NOT NULL OR d.delay = 0 THEN t.scheduled_at
                        ELSE clock_timestamp() + d.delay * interval '1 second' END,
    attempts = t.attempts - d.refund, lease_expires_at = NULL, claim_token = NULL,
    error_class = CASE WHEN {_KEEPS} THEN t.error_class ELSE d.error_class END,
    error_message = CASE WHEN {_KEEPS} THEN t.error_message ELSE d.error_message END,
    metadata = CASE WHEN d.is_cut AND jsonb_typeof(t.metadata) = 'object' THEN t.metadata || '{{"cut": true}}'
                    WHEN d.refund = 1 THEN t.metadata ELSE {failed_attempts.ADDED_SQL} END
FROM unnest(%s::bigint[], %s::boolean[], %s::boolean[], %s::float8[], %s::int[], %s::text[], %s::text[])
     AS d (id, is_parked, is_cut, delay, refund, error_class, error_message)
     JOIN embedding_tasks own ON own.id = d.id
     LEFT JOIN embedding_tasks newer
         ON newer.article_id = own.article_id AND newer.space_id = own.space_id AND newer.status = 'pending'
WHERE t.id = d.id
RETURNING t.status, t.id
"""  # noqa: S608  the only text put in is our own


def settle(batch: Batch, seconds: float) -> Settled:
    """Writes every result whose task still belongs to the claim, in one transaction that waits at most `seconds` per
    lock; a text that is not the newest any more gets no vectors.

    Retried while the database is away: the vectors are paid for. If only the reply to a commit was lost, the token is
    gone and nothing is written twice.
    """
    return with_database_retry(
        lambda: retry_on_conflict(lambda: _settle(batch, seconds)), "batch not settled yet"
    )


def give_back(
    claim: Claim, tasks: Sequence[Claimed], error: ProviderError, seconds: float, lock_seconds: float
) -> int:
    """Requeues tasks of a claim, due in `seconds`, without charging an attempt; returns how many still belonged to the
    claim. Waits at most `lock_seconds` per lock."""
    later = Decision(Verdict.DEFER, seconds)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [_milliseconds(lock_seconds)])
        ours = _lock_tasks(claim, tasks)
        ended = _fail([Failure(task, error, later) for task in tasks if task.task_id in ours])
    return ended.total()


@transaction.atomic
def _settle(batch: Batch, seconds: float) -> Settled:
    claim, results = batch.claim, batch.results
    texts = _lock_articles([result.task.source for result in results], seconds)
    done, rest = _split(results, texts)
    ours = _lock_tasks(claim, [result.task for result in rest])
    failpoints.reach("settle_locked")
    overtaken = {r.task.task_id for r in rest if r.task.task_id in ours and _is_overtaken(r, texts)}
    waiting = _give_back(overtaken)
    outcomes = {result.task.task_id: result.outcome for result in done}
    outcomes |= dict.fromkeys(overtaken - waiting, Outcome.SUPERSEDED)
    completed = _complete(claim, outcomes)
    successes = [result for result in done if result.task.task_id in completed]
    store(claim.space, [result.rendered for result in successes], batch.by_hash)
    kept_vectors.remove(claim.space.pk, [r.task.source.article_id for r in successes if r.had_kept])
    failpoints.reach("stored")
    kept_on = ours - overtaken
    failures = [r for r in rest if isinstance(r, Failure) and r.task.task_id in kept_on]
    ended = _fail(failures)
    failpoints.reach("completed")
    counted = Counter[str](outcomes[task_id] for task_id in completed)
    counted += Counter({Outcome.FAILED: ended[Status.FAILED], Outcome.SUPERSEDED: ended[Status.COMPLETED]})
    settled = Settled(
        counted,
        ended[Status.PENDING] + len(waiting),
        len(results) - len(ours) - len(successes),
        batch.effort,
        _longest_delay(failures) or (_AT_ONCE if waiting else None),
    )
    _write_history(claim, settled, failures)
    failpoints.reach("before_commit")
    return settled


# The version and hash of each article's newest text, by its id.
_Texts = Mapping[int, tuple[int, UUID]]


def _lock_articles(sources: Sequence[Source], seconds: float) -> _Texts:
    """Locks the articles, so that their texts stay what they are until the commit."""
    articles = sql_arrays.of_integers(source.article_id for source in sources)
    with connection.cursor() as cursor:
        lease = str(settings.EMBEDDING_WORKER_TIMEOUT)
        cursor.execute(_LOCK_ARTICLES, [lease, _milliseconds(seconds), articles])
        cursor.nextset()
        return {article_id: (version, text) for article_id, version, text in cursor.fetchall()}


def _is_newest(source: Source, texts: _Texts) -> bool:
    """Whether it is still the article's text; of an article that is gone it is not."""
    return texts.get(source.article_id) == (source.version_number, source.content_hash)


def _split(
    results: Sequence[Success | Failure], texts: _Texts
) -> tuple[list[Success], list[Success | Failure]]:
    """The vectors of newest texts, which complete their tasks, and everything else."""
    done: list[Success] = []
    rest: list[Success | Failure] = []
    for result in results:
        if isinstance(result, Success) and _is_newest(result.task.source, texts):
            done.append(result)
        else:
            rest.append(result)
    return done, rest


def _is_overtaken(result: Success | Failure, texts: _Texts) -> bool:
    """Whether this result would end its task although a newer text waits."""
    is_end = isinstance(result, Success) or result.decision.verdict is Verdict.PARK
    return is_end and not _is_newest(result.task.source, texts)


def _lock_tasks(claim: Claim, tasks: Sequence[Claimed]) -> set[int]:
    """The ids of those that still belong to the claim, which stay so until the commit."""
    if not tasks:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_TASKS, [sql_arrays.of_integers(task.task_id for task in tasks), claim.token])
        return {task_id for (task_id,) in cursor.fetchall()}


def _milliseconds(seconds: float) -> str:
    """Seconds as a server setting in milliseconds."""
    return f"{seconds * 1000:.0f}"


def _give_back(overtaken: Collection[int]) -> set[int]:
    """Requeues tasks for the newest text if no other task embeds it; returns their ids."""
    if not overtaken:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_BACK, [sql_arrays.of_integers(sorted(overtaken))])
        return {task_id for (task_id,) in cursor.fetchall()}


def _complete(claim: Claim, outcomes: Mapping[int, Outcome]) -> set[int]:
    """Ends those that still belong to the claim; returns their ids."""
    if not outcomes:
        return set()
    ids, names = sql_arrays.of_integers(outcomes), ",".join(outcomes.values())
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETE, [ids, names, claim.token])
        return {task_id for (task_id,) in cursor.fetchall()}


def _fail(failures: Sequence[Failure]) -> Counter[str]:
    """Parks or reschedules; returns counts of tasks by their new status."""
    if not failures:
        return Counter()
    columns = zip(*(_failure_row(failure) for failure in failures), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_FAIL, [list(column) for column in columns])
        rows = cursor.fetchall()
    priority_inheritance.inherit_rank([task_id for status, task_id in rows if status == Status.COMPLETED])
    return Counter(status for status, _ in rows)


def _longest_delay(failures: Sequence[Failure]) -> float | None:
    delays = (f.decision.delay_seconds for f in failures if f.decision.verdict is not Verdict.PARK)
    return max(delays, default=0.0) or None


def _failure_row(failure: Failure) -> tuple[int, bool, bool, float, int, str, str]:
    decision = failure.decision
    return (
        failure.task.task_id,
        decision.verdict is Verdict.PARK,
        decision.verdict is Verdict.CUT,
        decision.delay_seconds,
        int(decision.verdict in {Verdict.DEFER, Verdict.CUT}),
        failure.error.kind.value,
        str(failure.error)[: batch_history.MESSAGE_CHARACTERS],
    )


def _write_history(claim: Claim, settled: Settled, failures: Sequence[Failure]) -> None:
    effort = settled.effort
    batch_history.write(
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
    return batch_history.parked(task.task_id, task.source.article_id, task.attempts, error)
