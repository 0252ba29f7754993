"""Guards of the snapshot and the health page."""

from drills.guards.mutation import Mutation

_CLOCKS = "tests/queueops/maintenance/test_clock_repair.py"

MUTATIONS = (
    Mutation(
        "open failures: an old sample does not count",
        "queueops/monitoring/open_failures.py",
        "timestamp BETWEEN statement_timestamp() - interval '10 minutes' AND statement_timestamp()",
        "timestamp <= statement_timestamp()",
        ("tests/queueops/monitoring/test_open_failures.py",),
    ),
    Mutation(
        "snapshot: a worker seen ahead of now is not alive",
        "queueops/monitoring/snapshot_statement.py",
        "BETWEEN {_NOW} - interval '{ALIVE_WITHIN_SECONDS} seconds' AND clock_timestamp()",
        "> {_NOW} - interval '{ALIVE_WITHIN_SECONDS} seconds'",
        (_CLOCKS,),
    ),
    Mutation(
        "snapshot: what ended ahead of now is in no rate",
        "queueops/monitoring/snapshot_statement.py",
        "completed_at BETWEEN {now} - interval '1 hour' AND {now}",
        "completed_at > {now} - interval '1 hour'",
        (_CLOCKS,),
    ),
    Mutation(
        "locks: health reads what is not locked",
        "queueops/api/health.py",
        "now = snapshot.take_despite_locks()",
        "now = snapshot.take()",
        ("tests/queueops/api/test_health.py",),
    ),
)
