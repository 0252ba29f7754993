"""The guards that keep the queue right, and for each the change that takes it away and the tests that must notice."""

from dataclasses import dataclass

_CLAIMS, _EXECUTION, _LEASES, _RECOVERY, _SETTLING, _BREAKING = (
    f"tests/queueops/test_{name}.py"
    for name in ("claims", "execution", "leases", "recovery", "settling", "breaking")
)
_GUARDS = "tests/queueops/test_guards.py"
_INVARIANTS = "tests/queueops/test_invariants.py"
_OUTAGE = "tests/queueops/test_outage.py"
_FIRST_TABLES = "queueops/migrations/0001_initial.py"


@dataclass(frozen=True)
class Mutation:
    """`old` stands exactly once in the file at `path`; with `new` in its place, one of `tests` must fail."""

    guard: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTATIONS = (
    Mutation(
        "settle: the claim's token",
        "queueops/settling.py",
        "AND t.claim_token = %s AND t.status = 'processing'",
        "AND (t.claim_token = %s OR true) AND t.status = 'processing'",
        (_EXECUTION, _LEASES),
    ),
    Mutation(
        "settle: the task's status",
        "queueops/settling.py",
        "AND t.claim_token = %s AND t.status = 'processing'",
        "AND t.claim_token = %s",
        (_GUARDS,),
    ),
    Mutation(
        "settle: only rows that are still ours",
        "queueops/settling.py",
        "ours = [result for result in results if result.task.task_id in is_newest]",
        "ours = list(results)",
        (_EXECUTION,),
    ),
    Mutation(
        "settle: the text's hash",
        "queueops/settling.py",
        "a.content_hash = t.content_hash AND a.version_number = t.source_version",
        "a.version_number = t.source_version",
        (_GUARDS,),
    ),
    Mutation(
        "settle: the text's version",
        "queueops/settling.py",
        "a.content_hash = t.content_hash AND a.version_number = t.source_version",
        "a.content_hash = t.content_hash",
        (_GUARDS,),
    ),
    Mutation(
        "settle: articles are locked",
        "queueops/settling.py",
        " ORDER BY a.id FOR NO KEY UPDATE OF a",
        " ORDER BY a.id",
        (_GUARDS, _SETTLING),
    ),
    Mutation(
        "settle: articles are locked in order",
        "queueops/settling.py",
        " ORDER BY a.id FOR NO KEY UPDATE OF a",
        " FOR NO KEY UPDATE OF a",
        (_GUARDS,),
    ),
    Mutation(
        "settle: a frozen worker's locks end",
        "queueops/settling.py",
        "(SELECT set_config('idle_in_transaction_session_timeout', %s, true)) AS guarded",
        "(SELECT %s::text) AS guarded",
        (_SETTLING,),
    ),
    Mutation(
        "failure: no second task beside a newer one",
        "queueops/settling.py",
        "WHEN newer.id IS NOT NULL THEN 'completed' ELSE 'pending' END",
        "ELSE 'pending' END",
        (_EXECUTION,),
    ),
    Mutation(
        "failure: what is not the text's fault charges no attempt",
        "queueops/settling.py",
        "attempts = t.attempts - d.refund",
        "attempts = t.attempts - d.refund * 0",
        (_EXECUTION,),
    ),
    Mutation(
        "claim: rows are locked",
        "queueops/claims.py",
        "    LIMIT %(size)s{taken}\n    FOR UPDATE SKIP LOCKED\n",
        "    LIMIT %(size)s{taken}\n",
        (_CLAIMS,),
    ),
    Mutation(
        "claim: SKIP LOCKED",
        "queueops/claims.py",
        "    LIMIT %(size)s{taken}\n    FOR UPDATE SKIP LOCKED\n",
        "    LIMIT %(size)s{taken}\n    FOR UPDATE\n",
        (_GUARDS,),
    ),
    Mutation(
        "claim: SKIP LOCKED for the old",
        "queueops/claims.py",
        "    LIMIT %(aged_slots)s\n    FOR UPDATE SKIP LOCKED\n",
        "    LIMIT %(aged_slots)s\n    FOR UPDATE\n",
        (_GUARDS,),
    ),
    Mutation(
        "claim: the task's status",
        "queueops/claims.py",
        "AND status = 'pending' AND space_id = %(space)s AND priority_rank = {rank}",
        "AND space_id = %(space)s AND priority_rank = {rank}",
        (_GUARDS,),  # elsewhere workers claim until nothing is left
    ),
    Mutation(
        "claim: the time of the next try",
        "queueops/claims.py",
        "\n      AND scheduled_at <= statement_timestamp()",
        "",
        (_CLAIMS,),
    ),
    Mutation(
        "claim: the pause",
        "queueops/claims.py",
        "NOT EXISTS (SELECT 1 FROM queue_state WHERE is_paused)",
        "true",
        (_CLAIMS,),
    ),
    Mutation(
        "claim: the worker's own brake",
        "queueops/claims.py",
        "WHERE id = %(worker)s AND is_running)",
        "WHERE id = %(worker)s)",
        (_CLAIMS,),
    ),
    Mutation(
        "claim: the attempt is counted",
        "queueops/claims.py",
        "attempts = t.attempts + 1",
        "attempts = t.attempts",
        (_CLAIMS,),
    ),
    Mutation(
        "lease: renewed by token",
        "queueops/leases.py",
        "    WHERE status = 'processing' AND claim_token = ANY(%(tokens)s)\n    ORDER BY id",
        "    WHERE status = 'processing'\n    ORDER BY id",
        (_LEASES,),
    ),
    Mutation(
        "lease: renewed in work only",
        "queueops/leases.py",
        "    WHERE status = 'processing' AND claim_token = ANY(%(tokens)s)\n    ORDER BY id",
        "    WHERE claim_token = ANY(%(tokens)s)\n    ORDER BY id",
        (_GUARDS,),
    ),
    Mutation(
        "lease: SKIP LOCKED",
        "queueops/leases.py",
        "    FOR UPDATE SKIP LOCKED\n), renewed",
        "    FOR UPDATE\n), renewed",
        (_LEASES,),
    ),
    Mutation(
        "lease: a batch that hangs is given up",
        "queueops/leases.py",
        "if held.since < oldest]",
        "if held.since < oldest - 1e9]",
        (_LEASES,),
    ),
    Mutation(
        "recovery: the lease has ended",
        "queueops/recovery.py",
        "WHERE status = 'processing' AND lease_expires_at < statement_timestamp()",
        "WHERE status = 'processing'",
        (_RECOVERY,),
    ),
    Mutation(
        "recovery: attempts have a limit",
        "queueops/recovery.py",
        "attempts >= max_attempts AS is_spent",
        "false AS is_spent",
        (_RECOVERY,),
    ),
    Mutation(
        "recovery: SKIP LOCKED",
        "queueops/recovery.py",
        "    ORDER BY id LIMIT %s\n    FOR UPDATE SKIP LOCKED\n",
        "    ORDER BY id LIMIT %s\n    FOR UPDATE\n",
        (_GUARDS,),
    ),
    Mutation(
        "recovery: one of an article's tasks goes back",
        "queueops/recovery.py",
        "    SELECT e.id, e.is_spent, newer.id IS NOT NULL OR 1 < row_number()",
        "    SELECT e.id, e.is_spent, newer.id IS NOT NULL OR 1 > row_number()",
        (_RECOVERY,),
    ),
    Mutation(
        "recovery: what was parked stays parked",
        "queueops/recovery.py",
        "OR (t.status IN ('failed', 'cancelled') AND t.content_hash = a.content_hash)",
        "",
        (_RECOVERY,),
    ),
    Mutation(
        "recovery: a stop charges no attempt",
        "queueops/recovery.py",
        "attempts = t.attempts - 1, scheduled_at",
        "scheduled_at",
        (_RECOVERY,),
    ),
    Mutation(
        "enqueue: current text needs no task",
        "queueops/enqueue.py",
        " AND NOT {coverage.IS_CURRENT_SQL}",
        "",
        ("tests/queueops/test_enqueue.py",),
    ),
    Mutation(
        "breaker: one canary",
        "queueops/gate.py",
        "\n  AND (canary_until IS NULL OR canary_until <= statement_timestamp())",
        "",
        (_OUTAGE,),
    ),
    Mutation(
        "breaker: only the canary closes it",
        "queueops/breaking.py",
        "if state.breaker != Breaker.CLOSED and not is_canary:",
        "if False:",
        (_BREAKING,),
    ),
    Mutation(
        "reply: as many vectors as texts",
        "embeddings/providers/replies.py",
        "or len(items) != count:",
        "or False:",
        ("tests/embeddings/providers/test_replies.py",),
    ),
    Mutation(
        "reply: each index once",
        "embeddings/providers/replies.py",
        " or found[index] is not None:",
        ":",
        ("tests/embeddings/providers/test_replies.py",),
    ),
    Mutation(
        "reply: finite numbers",
        "embeddings/providers/replies.py",
        "if not np.isfinite(matrix).all():",
        "if False:",
        ("tests/embeddings/providers/test_replies.py",),
    ),
    Mutation(
        "request: what was refused is not sent again",
        "embeddings/indexing.py",
        "            self.refused[request] = error\n",
        "",
        ("tests/queueops/test_too_long.py",),
    ),
    Mutation(
        "index: one pending task",
        _FIRST_TABLES,
        "models.UniqueConstraint(condition=models.Q(('status', 'pending')), fields=('article', 'space'), "
        "name='embedding_tasks_one_pending'), ",
        "",
        (_GUARDS,),
    ),
    Mutation(
        "index: one vector a chunk",
        "embeddings/migrations/0001_initial.py",
        "models.UniqueConstraint(fields=('article', 'space', 'chunk_index'), name='article_embeddings_one_per_chunk')",
        "",
        (_GUARDS,),
    ),
    Mutation(
        "trigger: audit rows do not change",
        "queueops/migrations/0002_guards.py",
        "    RAISE EXCEPTION 'embedding_audit_logs is append-only: a row cannot be changed';",
        "    RETURN NEW;",
        ("tests/test_migrations.py",),
    ),
    Mutation(
        "trigger: a status set by hand takes all along",
        "queueops/migrations/0003_tidy_by_hand.py",
        "BEGIN\n    IF OLD.status",
        "BEGIN\n    RETURN NEW;\n    IF OLD.status",
        (_INVARIANTS,),
    ),
)
