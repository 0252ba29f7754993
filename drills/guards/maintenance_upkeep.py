"""Guards of cleanup, samples, and times that a wrong clock wrote."""

from drills.guards.mutation import Mutation

_CLOCKS = "tests/queueops/maintenance/test_clock_repair.py"
_RETENTION = "tests/queueops/maintenance/test_cleanup.py"

MUTATIONS = (
    Mutation(
        "clocks: a lease ahead of any that is given is cut",
        "queueops/maintenance/clock_repair.py",
        "AND lease_expires_at > statement_timestamp() + %(lease)s + %(tolerance)s",
        "AND false",
        (_CLOCKS,),
    ),
    Mutation(
        "clocks: a schedule that was not written ahead stays",
        "queueops/maintenance/clock_repair.py",
        "\n          AND schedule_set_at > statement_timestamp() + %(tolerance)s",
        "",
        (_CLOCKS,),
    ),
    Mutation(
        "clocks: what was to wait waits as long",
        "queueops/maintenance/clock_repair.py",
        "GREATEST(t.scheduled_at - (t.schedule_set_at - statement_timestamp()), statement_timestamp())",
        "statement_timestamp()",
        (_CLOCKS,),
    ),
    Mutation(
        "clocks: a lease continues when the clock steps forward",
        "queueops/maintenance/clock_repair.py",
        "LEAST(t.lease_expires_at + %(step)s, statement_timestamp() + %(lease)s)",
        "t.lease_expires_at",
        (_CLOCKS,),
    ),
    Mutation(
        "clocks: a lease that ended before does not continue",
        "queueops/maintenance/clock_repair.py",
        "AND lease_expires_at > statement_timestamp() - %(step)s",
        "",
        (_CLOCKS,),
    ),
    Mutation(
        "clocks: a provider is asked when the clock has stepped back",
        "queueops/maintenance/clock_repair.py",
        "timedelta() if is_back else timedelta(seconds=seconds) + _TOLERANCE",
        "timedelta(seconds=seconds) + _TOLERANCE",
        (_CLOCKS,),
    ),
    Mutation(
        "sampling: a sample ahead of now is not the newest",
        "queueops/maintenance/sampler.py",
        " AND timestamp <= statement_timestamp()",
        "",
        (_CLOCKS,),
    ),
    Mutation(
        "cleanup: a last run dated ahead is due",
        "queueops/maintenance/cleanup.py",
        "\n   OR queue_state.cleaned_at > clock_timestamp()",
        "",
        (_CLOCKS,),
    ),
    Mutation(
        "retention: SKIP LOCKED",
        "queueops/maintenance/cleanup.py",
        "LIMIT %(batch)s FOR UPDATE SKIP LOCKED)",
        "LIMIT %(batch)s FOR UPDATE)",
        (_RETENTION,),
    ),
    Mutation(
        "retention: only what is completed",
        "queueops/maintenance/cleanup.py",
        """interval '1 second' AND status = 'completed'\"""",
        """interval '1 second'\"""",
        (_RETENTION,),
    ),
)
