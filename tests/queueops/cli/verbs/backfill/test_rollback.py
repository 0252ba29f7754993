"""`embed_migrate rollback` as the shell sees it: what it prints, and its exit codes."""

import pytest

from embeddings.models import Space
from queueops.cli.verbs.backfill import rollback
from queueops.models import AuditLog, Mode, QueueState, Task
from queueops.operate.backfill.rollback import RollbackReading
from tests.queueops.cli_runner import embed_migrate
from tests.queueops.factories import make_space
from tests.queueops.operate.backfill.test_run import make_corpus


@pytest.mark.parametrize(
    ("reading", "sentence"),
    [
        (
            RollbackReading(0, 0, Mode.SYNCHRONOUS, True),
            "the mode is synchronous, the workers are paused, no task of the migration is left",
        ),
        (
            RollbackReading(1_200, 1, Mode.QUEUED, False),
            "the mode is queued, the workers are not paused, 1,200 tasks of the migration are left",
        ),
    ],
)
def test_a_reading_is_a_sentence(reading: RollbackReading, sentence: str) -> None:
    assert rollback._sentence(reading) == sentence


@pytest.mark.parametrize(
    ("left", "unfinished", "mode", "is_paused", "verified"),
    [
        (0, 0, Mode.SYNCHRONOUS, True, True),
        (0, 0, Mode.DISABLED, True, True),
        (1, 0, Mode.SYNCHRONOUS, True, False),
        (0, 1, Mode.SYNCHRONOUS, True, False),
        (0, 0, Mode.QUEUED, True, False),
        (0, 0, Mode.SYNCHRONOUS, False, False),
    ],
)
def test_it_is_verified_only_if_nothing_of_the_migration_can_go_on(
    left: int, unfinished: int, mode: Mode, is_paused: bool, verified: bool
) -> None:
    reading = RollbackReading(left, unfinished, mode, is_paused)
    assert rollback._reading(reading, skipped=2) == {
        "skipped": 2, "left": left, "mode": mode, "paused": is_paused, "verified": verified,
    }  # fmt: skip


@pytest.fixture
def space(db: None) -> Space:
    return make_space()


def test_it_cancels_what_the_migration_queued_and_says_how_to_go_forward(space: Space) -> None:
    make_corpus(3)
    embed_migrate("--yes")
    called = embed_migrate("rollback", "--yes")
    assert called.code == 0
    assert "3 tasks cancelled (operation" in called.out
    assert "Verified." in called.out
    assert "manage.py embed_migrate run --forward" in called.out
    assert set(Task.objects.values_list("status", flat=True)) == {"cancelled"}
    assert AuditLog.objects.filter(metadata__reason="migration rolled back").exists()


def test_a_second_rollback_has_nothing_to_do(space: Space) -> None:
    embed_migrate("rollback", "--yes")
    called = embed_migrate("rollback", "--yes")
    assert (called.code, called.out.startswith("Nothing to roll back: the mode is synchronous")) == (0, True)


def test_a_dry_run_counts_and_changes_nothing(space: Space) -> None:
    make_corpus(2)
    embed_migrate("--yes")
    reply = embed_migrate("rollback", "--dry-run", "--json").json
    assert (reply["waiting"], reply["cancelled"], reply["verified"], reply["dry_run"]) == (2, 0, False, True)
    assert not QueueState.objects.filter(is_paused=True).exists()
    assert set(Task.objects.values_list("status", flat=True)) == {"pending"}
