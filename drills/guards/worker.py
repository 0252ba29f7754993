"""Guards of a process that works: leases, trials, exclusive claims, the supervisor."""

from drills.guards.mutation import Mutation

_CLOCKS = "tests/queueops/maintenance/test_clock_repair.py"
_EXCLUSIVE = "tests/queueops/worker/test_exclusive_claims.py"
_GUARDS = "tests/queueops/engine/test_guards.py"
_HOLDING = "tests/queueops/engine/test_settle_retry.py"
_LEASES = "tests/queueops/worker/test_leases.py"
_LOCKED_TABLES = "tests/queueops/engine/test_table_lock_pause.py"
_SUPERVISOR = "tests/queueops/worker/test_process_supervisor.py"
_TRIAL_SIZE = "tests/queueops/worker/test_lost_task_trial_size.py"

MUTATIONS = (
    Mutation(
        "trial: nothing beside it",
        "queueops/worker/exclusive_claims.py",
        "may_begin = self._wait(lambda: not self._holds(), is_stopping)",
        "may_begin = True",
        (_EXCLUSIVE,),
    ),
    Mutation(
        "trial: nothing begins meanwhile",
        "queueops/worker/exclusive_claims.py",
        "self._wait(lambda: not self._has_only(), is_stopping)\n            if may_begin:\n                self._held",
        "True\n            if may_begin:\n                self._held",
        (_EXCLUSIVE,),
    ),
    Mutation(
        "trial: it never grows past what succeeded",
        "queueops/worker/lost_task_trial_size.py",
        "return min(self._first << doublings, self._first + self._done)",
        "return self._first << doublings",
        (_TRIAL_SIZE,),
    ),
    Mutation(
        "supervisor: a process that ends is restarted",
        "queueops/worker/process_supervisor.py",
        "self.child, self.ended_by, self.due = None, how, time.monotonic() + pause",
        "self.child, self.ended_by, self.due = None, how, None",
        (_SUPERVISOR,),
    ),
    Mutation(
        "supervisor: a crash loop backs off",
        "queueops/worker/process_supervisor.py",
        "min(SHORTEST_PAUSE * 2.0 ** (self._failures - 1), LONGEST_PAUSE)",
        "SHORTEST_PAUSE",
        (_SUPERVISOR,),
    ),
    Mutation(
        "lease: renewed by token",
        "queueops/worker/leases.py",
        "    WHERE status = 'processing' AND claim_token = ANY(%(tokens)s)\n    ORDER BY id",
        "    WHERE status = 'processing'\n    ORDER BY id",
        (_LEASES,),
    ),
    Mutation(
        "lease: renewed in work only",
        "queueops/worker/leases.py",
        "    WHERE status = 'processing' AND claim_token = ANY(%(tokens)s)\n    ORDER BY id",
        "    WHERE claim_token = ANY(%(tokens)s)\n    ORDER BY id",
        (_GUARDS,),
    ),
    Mutation(
        "lease: SKIP LOCKED",
        "queueops/worker/leases.py",
        "    FOR UPDATE SKIP LOCKED\n), renewed",
        "    FOR UPDATE\n), renewed",
        (_LEASES,),
    ),
    Mutation(
        "lease: a batch that hangs is abandoned",
        "queueops/worker/leases.py",
        "if held.since < oldest]",
        "if held.since < oldest - 1e9]",
        (_LEASES,),
    ),
    Mutation(
        "clocks: a process looks at the clock before it sweeps",
        "queueops/worker/housekeeper.py",
        "is_sure = self._clock.look()",
        "is_sure = True",
        (_CLOCKS,),
    ),
    Mutation(
        "storage: nothing is claimed while it refuses",
        "queueops/worker/drain.py",
        "    if wait := storage_probe.wait(space):\n        return _Turn(wait=wait)\n",
        "",
        (_HOLDING,),
    ),
    Mutation(
        "brokerless: ends when the broker is back",
        "queueops/worker/brokerless.py",
        "if not broker_health.problem():",
        "if False:",
        ("tests/queueops/worker/test_brokerless.py",),
    ),
    Mutation(
        "locks: a lease is renewed from the moment it is written",
        "queueops/worker/leases.py",
        "lease_expires_at = clock_timestamp() + %(lease)s",
        "lease_expires_at = statement_timestamp() + %(lease)s",
        (_LOCKED_TABLES,),
    ),
    Mutation(
        "locks: tasks go back uncharged before the provider is asked",
        "queueops/worker/drain.py",
        "        return settle_retry.give_back(claim, storage_probe.noted(error))",
        "        raise",
        (_LOCKED_TABLES,),
    ),
    Mutation(
        "locks: nothing is claimed while a table is locked",
        "queueops/worker/drain.py",
        "        if locked_out.is_lasting():",
        "        if False:",
        (_LOCKED_TABLES,),
    ),
)
