"""Guards of enqueueing and settling: what is written, and what becomes of a task that failed."""

from drills.guards.mutation import Mutation

_DEADLY = "tests/queueops/engine/test_deadly_texts.py"
_EXECUTION = "tests/queueops/engine/test_execution.py"
_GUARDS = "tests/queueops/engine/test_guards.py"
_GIVING_WAY = "tests/queueops/engine/test_giving_way.py"
_HOLDING = "tests/queueops/engine/test_settle_retry.py"
_LEASES = "tests/queueops/worker/test_leases.py"
_LONG = "tests/queueops/engine/test_partial_vectors.py"
_SETTLING = "tests/queueops/engine/test_settling.py"

MUTATIONS = (
    Mutation(
        "settle: the claim's token",
        "queueops/engine/settling.py",
        "AND t.status = 'processing' AND t.claim_token = %s\nRETURNING",
        "AND t.status = 'processing' AND (t.claim_token = %s OR true)\nRETURNING",
        (_EXECUTION, _LEASES),
    ),
    Mutation(
        "settle: the task's status",
        "queueops/engine/settling.py",
        "AND t.status = 'processing' AND t.claim_token = %s\nRETURNING",
        "AND t.claim_token = %s\nRETURNING",
        (_GUARDS,),
    ),
    Mutation(
        "settle: the claim's token of what is not completed",
        "queueops/engine/settling.py",
        "AND t.claim_token = %s AND t.status = 'processing'\nORDER",
        "AND (t.claim_token = %s OR true) AND t.status = 'processing'\nORDER",
        (_GUARDS,),
    ),
    Mutation(
        "settle: the status of what is not completed",
        "queueops/engine/settling.py",
        "AND t.claim_token = %s AND t.status = 'processing'\nORDER",
        "AND t.claim_token = %s\nORDER",
        (_GUARDS,),
    ),
    Mutation(
        "settle: only vectors of tasks that are still ours",
        "queueops/engine/settling.py",
        "successes = [result for result in done if result.task.task_id in completed]",
        "successes = list(done)",
        (_EXECUTION, _GUARDS),
    ),
    Mutation(
        "settle: only failures of tasks that are still ours",
        "queueops/engine/settling.py",
        "if isinstance(r, Failure) and r.task.task_id in kept_on]",
        "if isinstance(r, Failure) and r.task.task_id not in overtaken]",
        (_GUARDS,),
    ),
    Mutation(
        "settle: the text's hash",
        "queueops/engine/settling.py",
        "return texts.get(source.article_id) == (source.version_number, source.content_hash)",
        "return texts.get(source.article_id, (0,))[0] == source.version_number",
        (_GUARDS,),
    ),
    Mutation(
        "settle: the text's version",
        "queueops/engine/settling.py",
        "return texts.get(source.article_id) == (source.version_number, source.content_hash)",
        "return texts.get(source.article_id, (0, 0))[1] == source.content_hash",
        (_GUARDS,),
    ),
    Mutation(
        "settle: tasks are locked",
        "queueops/engine/settling.py",
        "\nORDER BY t.id FOR UPDATE OF t\n",
        "\nORDER BY t.id\n",
        (_GUARDS,),
    ),
    Mutation(
        "settle: articles are locked",
        "queueops/engine/settling.py",
        " ORDER BY a.id FOR NO KEY UPDATE OF a",
        " ORDER BY a.id",
        (_GUARDS, _SETTLING),
    ),
    Mutation(
        "settle: articles are locked in order",
        "queueops/engine/settling.py",
        " ORDER BY a.id FOR NO KEY UPDATE OF a",
        " FOR NO KEY UPDATE OF a",
        (_GUARDS,),
    ),
    Mutation(
        "settle: a frozen worker's locks end",
        "queueops/engine/settling.py",
        "SELECT set_config('idle_in_transaction_session_timeout', %s, true), ",
        "SELECT %s::text, ",
        (_SETTLING,),
    ),
    Mutation(
        "failure: no second task beside a newer one",
        "queueops/engine/settling.py",
        "ON newer.article_id = own.article_id AND newer.space_id",  # all of it: half a change is tidied by the trigger
        "ON false AND newer.space_id",
        (_EXECUTION,),
    ),
    Mutation(
        "failure: what is not the text's fault charges no attempt",
        "queueops/engine/settling.py",
        "attempts = t.attempts - d.refund",
        "attempts = t.attempts - d.refund * 0",
        (_EXECUTION,),
    ),
    Mutation(
        "settle: what nothing else brings goes back",
        "queueops/engine/settling.py",
        "waiting = _give_back(overtaken)",
        "waiting: set[int] = set()",
        (_GIVING_WAY,),
    ),
    Mutation(
        "settle: what an operator ended stays ended",
        "queueops/engine/settling.py",
        "o.status IN ('processing', 'failed', 'cancelled')",
        "o.status IN ('processing')",
        (_GIVING_WAY,),
    ),
    Mutation(
        "settle: no lock is waited for without end",
        "queueops/engine/settling.py",
        ", set_config('lock_timeout', %s, true);",
        ", %s::text;",
        (_GIVING_WAY,),
    ),
    Mutation(
        "giving way: the better rank stays",
        "queueops/engine/priority_inheritance.py",
        "AND successor.priority_rank > own.priority_rank",
        "AND false",
        (_GIVING_WAY,),
    ),
    Mutation(
        "giving way: a better rank is not lowered",
        "queueops/engine/priority_inheritance.py",
        "AND successor.priority_rank > own.priority_rank",
        "AND true",
        (_GIVING_WAY,),
    ),
    Mutation(
        "failure: lost with its provider among others is not parked",
        "queueops/engine/retry_policy.py",
        "case ErrorClass.PROVIDER_LOST if attempts >= max_attempts and not is_alone:",
        "case ErrorClass.PROVIDER_LOST if False:",
        (_DEADLY,),
    ),
    Mutation(
        "failure: a long text lost whole and alone is cut before it is parked",
        "queueops/engine/retry_policy.py",
        "may_be_cut and attempts >= max_attempts and (is_canary or not is_out)",
        "False",
        (_DEADLY,),
    ),
    Mutation(
        "claim: what was lost stays so while it waits",
        "queueops/engine/settling.py",
        "d.refund = 1 AND d.error_class <> 'provider_lost' AND t.{WAS_LOST}",
        "false",
        (_DEADLY,),
    ),
    Mutation(
        "giving way: no later try is scheduled",
        "queueops/engine/settling.py",
        "d.is_parked OR newer.id IS NOT NULL OR d.delay = 0",
        "d.is_parked OR d.delay = 0",
        (_GIVING_WAY,),
    ),
    Mutation(
        "storage: a refusal charges no attempt",
        "queueops/engine/settling.py",
        "later = Decision(Verdict.DEFER, seconds)",
        "later = Decision(Verdict.RETRY, seconds)",
        (_HOLDING,),
    ),
    Mutation(
        "storage: only what is still ours is given back",
        "queueops/engine/settling.py",
        "for task in tasks if task.task_id in ours])",
        "for task in tasks])",
        (_HOLDING,),
    ),
    Mutation(
        "enqueue: a worker holds the text, by hash",
        "queueops/engine/enqueue.py",
        "t.content_hash = a.content_hash AND t.source_version = a.version_number",
        "t.source_version = a.version_number",
        (_GUARDS,),
    ),
    Mutation(
        "enqueue: a worker holds the text, by version",
        "queueops/engine/enqueue.py",
        "t.content_hash = a.content_hash AND t.source_version = a.version_number",
        "t.content_hash = a.content_hash",
        (_GUARDS,),
    ),
    Mutation(
        "enqueue: a worker holds the text, by lease",
        "queueops/engine/enqueue.py",
        "AND t.lease_expires_at > statement_timestamp()",
        "",
        (_GUARDS,),
    ),
    Mutation(
        "enqueue: current text needs no task",
        "queueops/engine/enqueue.py",
        " AND NOT {coverage.IS_CURRENT_SQL}",
        "",
        ("tests/queueops/engine/test_enqueue.py",),
    ),
    Mutation(
        "kept vectors: gone when their article is stored",
        "queueops/engine/settling.py",
        "for r in successes if r.had_kept]",
        "for r in successes if False]",
        (_LONG,),
    ),
    Mutation(
        "kept vectors: re-embedding begins without them",
        "queueops/engine/enqueue.py",
        "    kept_vectors.forget(article_ids)\n",
        "",
        (_LONG,),
    ),
    Mutation(
        "progress: an error charges no attempt",
        "queueops/engine/retry_policy.py",
        "ErrorClass.PROVIDER_LOST if has_progressed:",
        "ErrorClass.PROVIDER_LOST if has_progressed and False:",
        (_LONG, "tests/queueops/engine/test_retry_policy.py"),
    ),
)
