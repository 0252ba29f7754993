"""Guards of the claim: which tasks are taken, by which worker, and what a lost worker costs."""

from drills.guards.mutation import Mutation

_CLAIMS = "tests/queueops/engine/test_claims.py"
_DEADLY = "tests/queueops/engine/test_deadly_texts.py"
_GUARDS = "tests/queueops/engine/test_guards.py"
_LOCKED_TABLES = "tests/queueops/engine/test_table_lock_pause.py"
_LOSSES = "tests/queueops/engine/test_worker_loss.py"

MUTATIONS = (
    Mutation(
        "claim: after a loss few at a time",
        "queueops/engine/claim_statements.py",
        "WHEN {LOST} THEN %(lost_together)s ELSE 1 END",
        "WHEN {LOST} THEN %(size)s ELSE 1 END",
        (_CLAIMS,),
    ),
    Mutation(
        "claim: after the provider was lost, the last attempt is alone",
        "queueops/engine/claim_statements.py",
        "WHEN {LOST} THEN %(lost_together)s ELSE 1 END",
        "WHEN {LOST} THEN %(lost_together)s ELSE %(size)s END",
        (_DEADLY,),
    ),
    Mutation(
        "claim: one last attempt for all workers",
        "queueops/engine/claim_statements.py",
        "danger < {LAST_ATTEMPT} OR NOT (SELECT is_held FROM last_attempt)",
        "true",
        (_DEADLY,),
    ),
    Mutation(
        "claim: what lost two workers is passed over",
        "queueops/engine/claim_statements.py",
        '_MAY_BE_TAKEN = f"(%(with_trial)s OR NOT ({IS_ON_TRIAL})) AND {_FITS}"',
        "_MAY_BE_TAKEN = _FITS",
        (_CLAIMS,),
    ),
    Mutation(
        "trial: by one process at a time",
        "queueops/engine/claim_statements.py",
        "AND NOT EXISTS (SELECT FROM embedding_tasks WHERE status = 'processing' AND {IS_ON_TRIAL})",
        "",
        (_CLAIMS,),
    ),
    Mutation(
        "trial: the rows decide what is alone",
        "queueops/engine/claim_statements.py",
        "WHERE o.status = 'processing' AND o.claimed_by = t.claimed_by AND o.id <> t.id",
        "WHERE false",
        (_CLAIMS,),
    ),
    Mutation(
        "loss: charged to what was alone",
        "queueops/engine/worker_loss.py",
        "({row}.is_alone\n",
        "(true\n",
        (_LOSSES,),
    ),
    Mutation(
        "loss: not charged where another worker was lost since",
        "queueops/engine/worker_loss.py",
        "m.timestamp > {row}.scheduled_at",
        "false",
        (_LOSSES,),
    ),
    Mutation(
        "loss: not charged where another worker fell silent with it",
        "queueops/engine/worker_loss.py",
        "w.is_running AND 'worker ' || w.id <> {row}.claimed_by",
        "false",
        (_LOSSES,),
    ),
    Mutation(
        "loss: a death alone clears nobody",
        "queueops/engine/worker_loss.py",
        "AND m.labels->>'alone' = 'false'",
        "",
        (_LOSSES,),
    ),
    Mutation(
        "claim: what was lost with its provider",
        "queueops/engine/worker_loss.py",
        "error_class IN ('worker_lost', 'provider_lost')",
        "error_class IN ('worker_lost')",
        (_DEADLY,),
    ),
    Mutation(
        "claim: rows are locked",
        "queueops/engine/claim_statements.py",
        "(SELECT count(*) FROM high)\n    FOR UPDATE SKIP LOCKED\n",
        "(SELECT count(*) FROM high)\n",
        (_CLAIMS,),
    ),
    Mutation(
        "claim: SKIP LOCKED",
        "queueops/engine/claim_statements.py",
        "(SELECT count(*) FROM high)\n    FOR UPDATE SKIP LOCKED\n",
        "(SELECT count(*) FROM high)\n    FOR UPDATE\n",
        (_GUARDS,),
    ),
    Mutation(
        "claim: SKIP LOCKED for the old",
        "queueops/engine/claim_statements.py",
        "    LIMIT %(aged_slots)s\n    FOR UPDATE SKIP LOCKED\n",
        "    LIMIT %(aged_slots)s\n    FOR UPDATE\n",
        (_GUARDS,),
    ),
    Mutation(
        "claim of articles: SKIP LOCKED",
        "queueops/engine/claim_statements.py",
        "AND article_id = ANY(%(articles)s)\n    FOR UPDATE SKIP LOCKED\n",
        "AND article_id = ANY(%(articles)s)\n    FOR UPDATE\n",
        (_GUARDS,),
    ),
    Mutation(
        "claim whose answer was lost: the task's status",
        "queueops/engine/claim_statements.py",
        "WHERE t.status = 'processing' AND t.claim_token = %(token)s",
        "WHERE t.claim_token = %(token)s",
        (_GUARDS,),
    ),
    Mutation(
        "claim: the task's status",
        "queueops/engine/claim_statements.py",
        "_IS_DUE = \"status = 'pending' AND space_id",
        '_IS_DUE = "space_id',
        (_GUARDS,),  # elsewhere workers claim until nothing is left
    ),
    Mutation(
        "claim: the time of the next try",
        "queueops/engine/claim_statements.py",
        'space_id = %(space)s AND scheduled_at <= statement_timestamp()"',
        'space_id = %(space)s"',
        (_CLAIMS,),
    ),
    Mutation(
        "claim: the pause",
        "queueops/engine/claim_statements.py",
        "NOT EXISTS (SELECT 1 FROM queue_state WHERE is_paused)",
        "true",
        (_CLAIMS,),
    ),
    Mutation(
        "claim: the worker's own brake",
        "queueops/engine/claim_statements.py",
        "WHERE id = %(worker)s AND is_running)",
        "WHERE id = %(worker)s)",
        (_CLAIMS,),
    ),
    Mutation(
        "claim: the brakes hold back the old too",
        "queueops/engine/claim_statements.py",
        "WHERE (SELECT are_off FROM brakes)\n      AND status = 'pending' AND space_id = %(space)s AND scheduled_at",
        "WHERE status = 'pending' AND space_id = %(space)s AND scheduled_at",
        (_CLAIMS,),
    ),
    Mutation(
        "claim: the attempt is counted",
        "queueops/engine/claim_statements.py",
        "attempts = t.attempts + 1",
        "attempts = t.attempts",
        (_CLAIMS,),
    ),
    Mutation(
        "claim: long articles are left to others",
        "queueops/engine/claim_statements.py",
        '_FITS = """(%(longest)s::bigint IS NULL',
        '_FITS = """(true OR %(longest)s::bigint IS NULL',
        (_CLAIMS,),
    ),
    Mutation(
        "claim: no more text than a turn has time for",
        "queueops/engine/claim_statements.py",
        "AND (place = 1 OR %(most_bytes)s",
        "AND (true OR %(most_bytes)s",
        (_CLAIMS,),
    ),
    Mutation(
        "locks: a lease begins when the claim takes",
        "queueops/engine/claim_statements.py",
        "lease_expires_at = clock_timestamp() + %(lease)s",
        "lease_expires_at = statement_timestamp() + %(lease)s",
        (_LOCKED_TABLES,),
    ),
    Mutation(
        "claims: a row that stops every worker",
        "queueops/engine/claim_statements.py",
        "AND NOT EXISTS (SELECT 1 FROM embedding_worker_status WHERE {BRAKES_ALL_SQL}) AS are_off",
        "AND NOT EXISTS (SELECT 1 FROM embedding_worker_status WHERE false) AS are_off",
        (_CLAIMS,),
    ),
)
