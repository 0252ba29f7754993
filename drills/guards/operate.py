"""Guards of what operators do: operations, backfill, transfer, pause and mode."""

from drills.guards.mutation import Mutation

MUTATIONS = (
    Mutation(
        "settings: a file of secrets that all can read is named",
        "queueops/operate/checks/configuration.py",
        "elif file.is_readable_by_all and (",
        "elif False and (",
        ("tests/queueops/operate/checks/test_configuration.py",),
    ),
)
