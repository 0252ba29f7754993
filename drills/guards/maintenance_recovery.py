"""Guards of the sweep: tasks whose lease ended, and articles whose vectors are behind."""

from drills.guards.mutation import Mutation

_CLOCKS = "tests/queueops/maintenance/test_clock_repair.py"
_DRIFT = "tests/queueops/maintenance/test_drift.py"
_GUARDS = "tests/queueops/engine/test_guards.py"
_GIVING_WAY = "tests/queueops/engine/test_giving_way.py"
_LOSS = "tests/queueops/engine/test_worker_loss.py"
_MIGRATION_RUN = "tests/queueops/operate/backfill/test_run.py"
_SWEEP = "tests/queueops/maintenance/test_sweep.py"

MUTATIONS = (
    Mutation(
        "drift: after the last article the first is next",
        "queueops/maintenance/drift.py",
        "drift_after=after or 0)",
        "drift_after=after or before)",
        (_DRIFT,),
    ),
    Mutation(
        "drift: the newest articles are always checked",
        "queueops/maintenance/drift.py",
        "        count += _enqueue_part(newest)\n",
        "        pass\n",
        (_DRIFT,),
    ),
    Mutation(
        "recovery: what is in work without a lease",
        "queueops/maintenance/reaper.py",
        " OR lease_expires_at IS NULL",
        "",
        (_GIVING_WAY,),
    ),
    Mutation(
        "drift: what a stage has left",
        "queueops/maintenance/drift.py",
        "(NOT %(is_staged)s OR",
        "(true OR",
        (_MIGRATION_RUN,),
    ),
    Mutation(
        "recovery: the lease has ended",
        "queueops/maintenance/reaper.py",
        "lease_expires_at < %(began)s",
        "(lease_expires_at < %(began)s OR true)",
        (_SWEEP,),
    ),
    Mutation(
        "recovery: attempts have a limit",
        "queueops/maintenance/reaper.py",
        "is_charged AND attempts >= max_attempts AS is_spent",
        "false AS is_spent",
        (_SWEEP,),
    ),
    Mutation(
        "recovery: SKIP LOCKED",
        "queueops/maintenance/reaper.py",
        "    ORDER BY id LIMIT %(most)s\n    FOR UPDATE SKIP LOCKED\n",
        "    ORDER BY id LIMIT %(most)s\n    FOR UPDATE\n",
        (_GUARDS,),
    ),
    Mutation(
        "recovery: one of an article's tasks goes back",
        "queueops/maintenance/reaper.py",
        "e.has_progressed, newer.id IS NOT NULL OR 1 < row_number()",
        "e.has_progressed, newer.id IS NOT NULL OR 1 > row_number()",
        (_SWEEP,),
    ),
    Mutation(
        "recovery: a task gives way to a newer one",
        "queueops/maintenance/reaper.py",
        "e.has_progressed, newer.id IS NOT NULL OR 1 < row_number()",
        "e.has_progressed, 1 < row_number()",
        (_SWEEP,),
    ),
    Mutation(
        "recovery: one process sweeps",
        "queueops/maintenance/sweep.py",
        "WHERE queue_state.swept_at IS NULL OR queue_state.swept_at <=",
        "WHERE true OR queue_state.swept_at <=",
        (_SWEEP,),
    ),
    Mutation(
        "recovery: what waits or is in work is not behind",
        "queueops/maintenance/drift.py",
        "AND (t.status IN ('pending', 'processing')\n                       OR (t.status IN",
        "AND (false\n                       OR (t.status IN",
        (_SWEEP,),
    ),
    Mutation(
        "recovery: no date of an article counts",
        "queueops/maintenance/drift.py",
        "  AND (NOT %(is_staged)s OR",
        "  AND a.updated_at < statement_timestamp() AND (NOT %(is_staged)s OR",
        (_DRIFT,),
    ),
    Mutation(
        "recovery: a stage ends at an article, not at a date",
        "queueops/maintenance/drift.py",
        "a.id > %(newest)s::bigint OR ",
        "",
        (_DRIFT,),
    ),
    Mutation(
        "sweep: a last sweep dated ahead is due",
        "queueops/maintenance/sweep.py",
        "\n   OR queue_state.swept_at > clock_timestamp()",
        "",
        (_CLOCKS,),
    ),
    Mutation(
        "recovery: what was parked stays parked",
        "queueops/maintenance/drift.py",
        "OR (t.status IN ('failed', 'cancelled') AND t.content_hash = a.content_hash)",
        "",
        (_SWEEP,),
    ),
    Mutation(
        "recovery: a stop charges no attempt",
        "queueops/maintenance/reaper.py",
        "attempts = t.attempts - 1, scheduled_at",
        "scheduled_at",
        (_SWEEP,),
    ),
    Mutation(
        "stop: only what is in work",
        "queueops/maintenance/reaper.py",
        "WHERE status = 'processing' AND claimed_by = %s",
        "WHERE claimed_by = %s",
        (_GUARDS,),
    ),
    Mutation(
        "stop: only what the worker holds",
        "queueops/maintenance/reaper.py",
        "WHERE status = 'processing' AND claimed_by = %s",
        "WHERE status = 'processing' AND (claimed_by = %s OR true)",
        (_SWEEP,),
    ),
    Mutation(
        "stop: SKIP LOCKED",
        "queueops/maintenance/reaper.py",
        "claimed_by = %s\n    ORDER BY id\n    FOR UPDATE SKIP LOCKED\n",
        "claimed_by = %s\n    ORDER BY id\n    FOR UPDATE\n",
        (_GUARDS,),
    ),
    Mutation(
        "stop: a task gives way to a newer one",
        "queueops/maintenance/reaper.py",
        "    SELECT h.id, newer.id IS NOT NULL OR 1 < row_number()",
        "    SELECT h.id, 1 < row_number()",
        (_SWEEP,),
    ),
    Mutation(
        "retired space: only what waits ends",
        "queueops/maintenance/reaper.py",
        "WHERE status = 'pending' AND space_id = ANY(%s)",
        "WHERE space_id = ANY(%s)",
        (_SWEEP,),
    ),
    Mutation(
        "retired space: SKIP LOCKED",
        "queueops/maintenance/reaper.py",
        "    LIMIT %s\n    FOR UPDATE SKIP LOCKED\n)\nUPDATE",
        "    LIMIT %s\n    FOR UPDATE\n)\nUPDATE",
        (_GUARDS,),
    ),
    Mutation(
        "recovery: leases that ended in an outage of writes",
        "queueops/maintenance/reaper.py",
        "most = 0 if write_outages.is_just_over() else _BATCH",
        "most = _BATCH",
        ("tests/queueops/maintenance/test_write_outages.py",),
    ),
    Mutation(
        "recovery: a refused sweep ends no outage",
        "queueops/maintenance/reaper.py",
        "    most = 0 if write_outages.is_just_over() else _BATCH\n",
        "    if write_outages.is_just_over():\n        return 0, 0\n    most = _BATCH\n",
        ("tests/queueops/maintenance/test_write_outages.py",),
    ),
    Mutation(
        "progress: a lost worker charges no attempt",
        "queueops/maintenance/reaper.py",
        "is_charged AND id NOT IN (SELECT id FROM progressed) AS is_charged",
        "is_charged AS is_charged",
        (_LOSS,),
    ),
)
