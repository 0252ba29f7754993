"""Guards of what operators do: operations, backfill, transfer, pause and mode."""

from drills.guards.mutation import Mutation

MUTATIONS = (
    Mutation(
        "spaces: a cut-over waits for every article",
        "queueops/operate/space_changes.py",
        "    if missing > allowed_missing:\n",
        "    if False:\n",
        ("tests/queueops/operate/test_space_changes.py", "tests/queueops/cli/verbs/test_spaces.py"),
    ),
    Mutation(
        "spaces: nothing is stored in a retired one",
        "embeddings/indexing/store.py",
        " AND state <> 'retired'",
        "",
        ("tests/queueops/operate/test_space_changes.py",),
    ),
    Mutation(
        "settings: a file of secrets that all can read is named",
        "queueops/operate/checks/configuration.py",
        "elif file.is_readable_by_all and (",
        "elif False and (",
        ("tests/queueops/operate/checks/test_configuration.py",),
    ),
)
